"""Merchants' endpoints: each answers as it is told, and keeps what it got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.simulation.faults import Target
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Received:
    """One request that reached an endpoint; `status` is what it answered."""

    at: float
    headers: Mapping[str, str]
    body: bytes
    status: int


@dataclass
class Endpoint:
    """One merchant's endpoint. `behave` says what it answers, and how long it takes for that."""

    address: str
    behave: Callable[[int], tuple[int, float]] = lambda _number: (200, 0.05)
    received: list[Received] = field(default_factory=list)


class Endpoints:
    """All endpoints, by address."""

    def __init__(self, kernel: Kernel, gate: Gate) -> None:
        self._kernel = kernel
        self._gate = gate
        self._known: dict[str, Endpoint] = {}

    def add(self, endpoint: Endpoint) -> Endpoint:
        """Let an endpoint listen."""
        self._known[endpoint.address] = endpoint
        return endpoint

    def serve(self, address: str, request: bytes) -> bytes:
        """Answer a request that is on its way to an address."""
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        outside = Outside(
            target=Target.ENDPOINT,
            operation="POST",
            subject=f"{address} {headers.get('webhook-id', '')}",
            changes=True,
            # What httpx calls a read: the deadline of an attempt, less what went before.
            patience_seconds=14.0,
            lost=lambda: TimeoutError("no answer"),
            refused=lambda: ConnectionRefusedError("refused"),
        )
        answer: bytes = self._gate.make(outside, lambda: self._answer(address, headers, body))
        return answer

    def _answer(self, address: str, headers: Mapping[str, str], body: bytes) -> bytes:
        endpoint = self._known.get(address)
        if endpoint is None:
            raise ConnectionRefusedError(address)
        status, seconds = endpoint.behave(len(endpoint.received))
        self._kernel.sleep(seconds)
        endpoint.received.append(Received(self._kernel.elapsed, headers, body, status))
        return f"HTTP/1.1 {status} Simulated\r\ncontent-length: 0\r\n\r\n".encode()
