"""Connections in memory: what a merchant's endpoint would be connected to by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Connect = Callable[..., "MemorySocket"]
Serve = Callable[[str, bytes], bytes]
"""Answers the bytes of a whole request to an address; raises OSError where a connection breaks."""


class MemorySocket:
    """One connection to an address; the other side answers when the whole request is there."""

    def __init__(self, address: str, serve: Serve) -> None:
        self._address = address
        self._serve = serve
        self._sent = bytearray()
        self._answer: bytes | None = None

    def setsockopt(self, *_: Any) -> None:
        """There is nothing to set."""

    def settimeout(self, seconds: float) -> None:
        """Whoever serves knows how patient its caller is."""

    def send(self, data: bytes) -> int:
        """Take all of it."""
        self._sent += data
        return len(data)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the answer, which is made when it is first asked for."""
        if self._answer is None:
            self._answer = self._serve(self._address, bytes(self._sent))
        part, self._answer = self._answer[:size], self._answer[size:]
        return part

    def close(self) -> None:
        """There is nothing to close."""

    def __enter__(self) -> MemorySocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connecting(serve: Serve) -> Connect:
    """Stand in for `socket.create_connection`."""

    def connect(address: tuple[str, int], timeout: float | None = None) -> MemorySocket:
        del timeout
        return MemorySocket(f"{address[0]}:{address[1]}", serve)

    return connect
