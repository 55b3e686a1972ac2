"""Threads, timers and locks: what callers count on, whoever stands behind the names."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest

from riel import threads

PATIENCE_SECONDS = 60


def test_a_pool_works_side_by_side() -> None:
    first, second = Event(), Event()

    def meet(mine: Event, other: Event) -> bool:
        mine.set()
        return other.wait(PATIENCE_SECONDS)

    with threads.pool(2) as pool:
        met = list(pool.map(meet, (first, second), (second, first)))

    assert met == [True, True]


def test_what_a_thread_of_its_own_returns_or_raises_is_had_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise LookupError("of its own")

    assert threads.start(lambda: 7, "well").result(PATIENCE_SECONDS) == 7
    with pytest.raises(LookupError, match="of its own"):
        threads.start(fail, "ill").result(PATIENCE_SECONDS)


def test_who_waits_for_what_hangs_waits_no_longer_than_it_said() -> None:
    released = Event()
    answer = threads.start(lambda: released.wait(PATIENCE_SECONDS), "hangs")

    with pytest.raises(TimeoutError):
        answer.result(0.01)
    released.set()
    assert answer.result(PATIENCE_SECONDS) is True


def test_a_timer_acts_when_its_time_has_come() -> None:
    rang = Event()
    threads.after(0.01, rang.set)
    assert rang.wait(PATIENCE_SECONDS)


def test_a_timer_that_is_canceled_does_not_act() -> None:
    rang = Event()
    timer = threads.after(PATIENCE_SECONDS, rang.set)

    timer.cancel()
    timer.join(PATIENCE_SECONDS)

    assert not timer.is_alive(), "it ended when it was canceled"
    assert not rang.is_set()


def test_what_hangs_and_what_has_still_to_ring_hold_up_no_process() -> None:
    program = (
        "from threading import Event; from riel import threads;"
        "threads.start(Event().wait, 'hangs'); threads.after(3600, print)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_SECONDS)
