"""Breakers: an environment keeps off a gateway that failed many times in a row, for a moment.

It spares the gateway a load that it can not bear, and us the time that its silence takes. Each
environment learns for itself, in memory; nothing depends on it but the pace.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from riel import threads


class Breaker:
    """Closed, open for a cool-down, or half open: one probe at a time decides."""

    def __init__(self, failures: int, cool_down: timedelta) -> None:
        """`failures` in a row open it."""
        self._failures = failures
        self._cool_down = cool_down
        self._lock = threads.Lock()
        self._in_a_row = 0
        self._shut_until: datetime | None = None

    def seconds_shut(self, now: datetime) -> float:
        """For how long no call may go; 0 when one may. Asking changes nothing."""
        with self._lock:
            return self._seconds_shut(now)

    def admit(self, now: datetime) -> float:
        """Let a call go (0), or say for how many seconds none may.

        After the cool-down the first call is the probe, and the others wait for as long again: a
        probe that ends without a word (its worker died) is followed by another.
        """
        with self._lock:
            seconds = self._seconds_shut(now)
            if not seconds and self._shut_until is not None:
                self._shut_until = now + self._cool_down
            return seconds

    def succeeded(self) -> None:
        """Note that the gateway answered."""
        with self._lock:
            self._in_a_row = 0
            self._shut_until = None

    def failed(self, now: datetime) -> bool:
        """Note that the gateway did not answer; True when that opened the breaker."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < self._failures:
                return False
            was_closed = self._shut_until is None
            self._shut_until = now + self._cool_down
            return was_closed

    def _seconds_shut(self, now: datetime) -> float:
        if self._shut_until is None:
            return 0.0
        return max((self._shut_until - now).total_seconds(), 0.0)


class Breakers:
    """The breaker of each gateway, in one environment."""

    def __init__(self, failures: int, cool_down: timedelta) -> None:
        self._failures = failures
        self._cool_down = cool_down
        self._breakers: dict[str, Breaker] = {}

    def of(self, gateway: str) -> Breaker:
        """Find a gateway's breaker."""
        # `setdefault` is atomic, so two threads get the same one.
        return self._breakers.setdefault(gateway, Breaker(self._failures, self._cool_down))
