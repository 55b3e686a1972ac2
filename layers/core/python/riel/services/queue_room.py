"""How much more a queue may take from the sweeper.

Where a queue is long, what seems to be missing most likely waits in it already. Sending it again
would only make the queue longer, and every minute longer still. What is delayed counts: while a
gateway is down its steps wait as delayed copies, which leave no other trace.
"""

from __future__ import annotations

from collections.abc import Collection

from riel import threads
from riel.store.limits import count_visible, count_waiting
from riel.store.queues import Queue

MAX_WAITING = 5_000
"""Messages in a queue beyond which the sweeper adds none: what it holds back stays due."""
LEAST_SHARE = 20
"""What a share is at least, though its queue be full: of one merchant's messages, it may be."""


class QueueRoom:
    """The room of each queue, counted once in a run and used up by what the run sends."""

    def __init__(self, delayed_is_known: Collection[str] = ()) -> None:
        """`delayed_is_known` are the URLs of queues whose delayed messages nobody misses."""
        self._delayed_is_known = delayed_is_known
        self._left: dict[str, int] = {}
        self._lock = threads.Lock()

    def take(self, queue: Queue, messages: int) -> int:
        """Take room for up to so many messages; return for how many there is.

        Raises StoreUnavailableError.
        """
        with self._lock:
            taken = min(self._room_of(queue), messages)
            self._left[queue.url] -= taken
            return taken

    def take_all(self, queue: Queue, messages: int) -> bool:
        """Take room for all of these messages, or none; raises StoreUnavailableError."""
        with self._lock:
            if self._room_of(queue) < messages:
                return False
            self._left[queue.url] -= messages
            return True

    def shares(self, queue: Queue, number: int) -> list[Share]:
        """Divide a half of the room among so many; the other half, and what they leave, stays.

        Raises StoreUnavailableError.
        """
        with self._lock:
            each = self._room_of(queue) // 2 // number
        return [Share(self, max(each, LEAST_SHARE)) for _ in range(number)]

    def use(self, queue: Queue, messages: int) -> None:
        """Use room up, though there be less: a share is had whatever waits in the queue."""
        with self._lock:
            self._left[queue.url] = max(0, self._room_of(queue) - messages)

    def _room_of(self, queue: Queue) -> int:
        if queue.url not in self._left:
            is_known = queue.url in self._delayed_is_known
            waiting = count_visible(queue) if is_known else count_waiting(queue)
            self._left[queue.url] = max(0, MAX_WAITING - waiting)
        return self._left[queue.url]


class Share:
    """A part of a queue's room that nobody else can use up; not for several threads."""

    def __init__(self, room: QueueRoom, messages: int) -> None:
        self._room = room
        self._left = messages

    def take(self, queue: Queue, messages: int) -> int:
        """Take room for up to so many messages; return for how many there is."""
        taken = min(self._left, messages)
        self._left -= taken
        self._room.use(queue, taken)
        return taken
