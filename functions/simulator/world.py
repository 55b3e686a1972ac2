"""What every part of the simulator works with: settings, memory, time, chance, whom to tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from threading import Lock
from typing import Any

from functions.simulator.table import ChargeTable
from riel.config import SimulatorConfig

NEVER_SECONDS = 30.0
"""How long an answer that never comes takes: longer than any caller's patience."""

Send = Callable[[str, dict[str, Any]], None]
"""Brings an event to a URL, now or later; it never raises, and the charge does not wait for it."""


class RefusedError(Exception):
    """An answer other than 200: `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Capacity:
    """How many charges each PSP works on at once; 0 is any number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: dict[str, int] = {}
        self._lock = Lock()

    @contextmanager
    def place(self, gateway: str) -> Iterator[None]:
        """Hold a place; raises RefusedError (429) at once when all are taken."""
        with self._lock:
            running = self._running.get(gateway, 0)
            if self._limit and running >= self._limit:
                raise RefusedError(429, "too many requests at once")
            self._running[gateway] = running + 1
        try:
            yield
        finally:
            with self._lock:
                self._running[gateway] -= 1


def _sleep(seconds: float) -> None:
    # Looked up at the call, so that whoever replaces `time.sleep` replaces it here too.
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class World:
    """One simulator, which serves both simulated PSPs."""

    config: SimulatorConfig
    table: ChargeTable
    clock: Callable[[], datetime]
    random: Random
    send: Send
    sleep: Callable[[float], None] = _sleep
    capacity: Capacity = field(default_factory=lambda: Capacity(0))

    def take_time(self) -> None:
        """Take as long as a PSP takes for what moves money."""
        self.sleep(self.random.uniform(*self.config.latency_seconds))

    def never_answer(self) -> None:
        """Let the caller hang until it has given up."""
        self.sleep(NEVER_SECONDS)
        raise RefusedError(504, "nobody waits for this")
