"""One deadline over a whole HTTP exchange: connect, TLS, headers, body.

httpx's timeouts are per read, so an endpoint or a PSP that sends a byte every few seconds would
hold a worker for ever. Here a timer shuts the connection's socket when the time is over, and
whatever read is under way fails at once. It knows only a connection that the exchange opened
itself, so each exchange needs one of its own: no keep-alive.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

from riel import threads


class Deadline:
    """A point in time that an exchange may not outlive."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._guard: socket.socket | None = None
        self._lock = threads.Lock()

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.remaining == 0

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Cut the watched connection when the time is up, until the block ends."""
        timer = threads.after(self.remaining, self._cut)
        try:
            yield
        finally:
            timer.cancel()
            self._watch(None)

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Watch the connection that httpcore opens (its documented `trace` extension)."""
        if event == "connection.connect_tcp.complete":
            # A second handle of the socket: TLS takes the first one over.
            self._watch(info["return_value"].get_extra_info("socket").dup())

    def _watch(self, guard: socket.socket | None) -> None:
        with self._lock:
            if self._guard is not None:
                self._guard.close()
            self._guard = guard
            if self.is_over:
                # Connected after the timer rang, behind a slow look-up of the name.
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self._shut()

    def _shut(self) -> None:
        if self._guard is not None:
            with contextlib.suppress(OSError):
                self._guard.shutdown(socket.SHUT_RDWR)
