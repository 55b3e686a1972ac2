"""The simulator's events as they come over a real network: late, twice, in disorder, or never.

A bounded number of threads posts them; what fails is tried again a few times, then dropped with a
line in the log. How badly it goes is a setting, `RIEL_SIMULATOR_EVENTS`.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from functions.simulator.posting import dropped
from riel.config import EventFaults

THREADS: Final = 8
MAX_WAITING: Final = 10_000
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
OVERTAKEN_SECONDS: Final = (1.0, 3.0)
"""How much later an event goes out that later ones shall overtake."""

Post = Callable[[str, dict[str, Any]], bool]


@dataclass(order=True)
class _Due:
    at: float
    number: int
    url: str = field(compare=False)
    event: dict[str, Any] = field(compare=False)
    failures: int = field(default=0, compare=False)


class EventPool:
    """Sends events in the background; `send` never waits and never raises."""

    def __init__(
        self,
        post: Post,
        faults: EventFaults,
        random: Random,
        *,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
        threads: int = THREADS,
    ) -> None:
        self._post = post
        self._faults = faults
        self._random = random
        self._retry_seconds = retry_seconds
        self._waiting: list[_Due] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        for number in range(threads):
            threading.Thread(target=self._work, name=f"events-{number}", daemon=True).start()

    def send(self, url: str, event: dict[str, Any]) -> None:
        """Take an event in charge."""
        for delay in self._delays():
            self._push(_Due(time.monotonic() + delay, next(self._numbers), url, event))

    def _delays(self) -> list[float]:
        """One number for each time that the event goes out."""
        faults, random = self._faults, self._random
        if random.random() < faults.lose:
            return []
        times = 2 if random.random() < faults.duplicate else 1
        delays = [random.uniform(*faults.delay_seconds) for _ in range(times)]
        if random.random() < faults.reorder:
            delays = [delay + random.uniform(*OVERTAKEN_SECONDS) for delay in delays]
        return delays

    def _push(self, due: _Due) -> None:
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                dropped(due.event)
                return
            heapq.heappush(self._waiting, due)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            due = self._next()
            if self._post(due.url, due.event):
                continue
            if due.failures == len(self._retry_seconds):
                dropped(due.event)
                continue
            due.at = time.monotonic() + self._retry_seconds[due.failures]
            due.failures += 1
            self._push(due)

    def _next(self) -> _Due:
        """Wait for the event that is due first, until it is due."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._waiting and self._waiting[0].at <= now:
                    return heapq.heappop(self._waiting)
                self._changed.wait(self._waiting[0].at - now if self._waiting else None)
