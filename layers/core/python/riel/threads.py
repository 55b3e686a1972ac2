"""The one place that makes threads, timers and locks.

Callers reach them through this module (`threads.pool(8)`, `threads.Lock()`), never by a name of
their own. So whoever puts something else in their place does it here alone: the fault simulator
runs all activities in one thread and chooses who goes next, so that one seed gives one order.
Of an executor only `submit`, `map`, `shutdown` and `with` are used; of its futures only `result`,
`exception`, `done` and `add_done_callback`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

T = TypeVar("T")

Lock = threading.Lock
"""What one thread at a time holds; whoever waits for it waits without an end."""


def pool(width: int) -> futures.Executor:
    """Make a pool of up to `width` threads, each started when it is first needed."""
    # Reached as an attribute, because only then Python imports the module behind it.
    return futures.ThreadPoolExecutor(width)


def after(seconds: float, action: Callable[[], None]) -> threading.Timer:
    """Start a timer that acts once unless it is canceled; it holds up no process's end."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


def start(action: Callable[[], T], name: str) -> futures.Future[T]:
    """Do something in a thread of its own, which holds up no process's end.

    For what may hang for ever: no pool is short of a thread for it.
    """
    answer: futures.Future[T] = futures.Future()

    def act() -> None:
        try:
            answer.set_result(action())
        except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=act, name=name, daemon=True).start()
    return answer
