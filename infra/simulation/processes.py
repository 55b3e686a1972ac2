"""Runs in processes of their own: one per core, and the answers in the order of the questions.

A process has one set of seams, so it has one run at a time. What a run does depends on nothing but
its seed; the processes hash alike all the same, and know nothing of their user's settings.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")
_OF_THE_USER = ("AWS_", "POWERTOOLS_", "RIEL_")


class Processes:
    """At most as many as there are cores."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def ask(
        self, work: Callable[[Question], Answer], questions: Iterable[Question]
    ) -> Iterator[Answer]:
        """Let `work` answer each question; what is not begun when nobody asks on, is not done.

        It is a function of a module, and questions and answers can be pickled.
        """
        with _without_interrupts():
            waiting: list[Future[Answer]] = [self._pool.submit(work, one) for one in questions]
        try:
            for future in waiting:
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def processes(questions: int) -> Iterator[Processes]:
    """Start as many as so many questions need; each takes some seconds to import the product.

    When something goes wrong here, such as Ctrl-C, nobody waits for what they have begun.
    """
    os.environ["PYTHONHASHSEED"] = "0"
    pool = ProcessPoolExecutor(min(_cores(), questions), get_context("spawn"), _forget_the_user)
    try:
        yield Processes(pool)
    except BaseException:
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes start that never see Ctrl-C; here it arrives when all of them are there."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget_the_user() -> None:
    for name in list(os.environ):
        if name.startswith(_OF_THE_USER):
            del os.environ[name]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
