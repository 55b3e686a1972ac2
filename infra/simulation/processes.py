"""Runs in processes of their own: one per core, and the answers in the order of the questions.

A process has one set of seams, so it has one run at a time. What a run does depends on nothing but
its seed; the processes hash alike all the same, and know nothing of their user's settings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
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
        waiting: list[Future[Answer]] = [self._pool.submit(work, one) for one in questions]
        try:
            for future in waiting:
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def processes(questions: int) -> Iterator[Processes]:
    """Start as many as so many questions need; each takes some seconds to import the product."""
    os.environ["PYTHONHASHSEED"] = "0"
    pool = ProcessPoolExecutor(min(_cores(), questions), get_context("spawn"), _forget_the_user)
    try:
        yield Processes(pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _forget_the_user() -> None:
    for name in list(os.environ):
        if name.startswith(_OF_THE_USER):
            del os.environ[name]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
