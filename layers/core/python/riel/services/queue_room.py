"""How much more a queue may take from the sweeper.

Where a queue is long, what seems to be missing most likely waits in it already. Sending it again
would only make the queue longer, and every minute longer still.
"""

from __future__ import annotations

from threading import Lock

from riel.store.limits import count_visible
from riel.store.queues import Queue

MAX_WAITING = 5_000
"""Messages in a queue beyond which the sweeper adds none: what it holds back stays due."""


class QueueRoom:
    """The room of each queue, counted once in a run and used up by what the run sends."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._lock = Lock()

    def take(self, queue: Queue, messages: int) -> int:
        """Take room for up to so many messages; return for how many there is.

        Raises StoreUnavailableError.
        """
        with self._lock:
            left = self._left.get(queue.url)
            if left is None:
                left = max(0, MAX_WAITING - count_visible(queue))
            taken = min(left, messages)
            self._left[queue.url] = left - taken
            return taken
