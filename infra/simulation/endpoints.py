"""Merchants' endpoints: each answers as it is told, and keeps what it got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.simulation.faults import Target
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel

PATIENCE_SECONDS = 14.0
"""The deadline of an attempt, less what went before."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request that reached an endpoint; `status` is what it answered, 0 for nothing in time."""

    at: float
    headers: Mapping[str, str]
    body: bytes
    status: int


def well(_before: int) -> tuple[int, float]:
    """Answer at once that all is well."""
    return 200, 0.05


@dataclass
class Endpoint:
    """One merchant's endpoint. `behave` says what it answers, and how long it takes for that.

    It is told how many requests came before.
    """

    address: str
    merchant_id: str
    behave: Callable[[int], tuple[int, float]] = well
    received: list[Received] = field(default_factory=list)


class Endpoints:
    """All endpoints, by address."""

    def __init__(self, kernel: Kernel, gate: Gate) -> None:
        self._kernel = kernel
        self._gate = gate
        self._known: dict[str, Endpoint] = {}

    @property
    def all(self) -> list[Endpoint]:
        """Return every endpoint."""
        return list(self._known.values())

    def has_arrived(self, webhook_id: str) -> bool:
        """Whether some endpoint has answered 2xx to this webhook."""
        return any(
            200 <= one.status < 300 and one.headers.get("webhook-id") == webhook_id
            for endpoint in self._known.values()
            for one in endpoint.received
        )

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
            patience_seconds=PATIENCE_SECONDS,
            lost=lambda: TimeoutError("no answer"),
            refused=lambda: ConnectionRefusedError("refused"),
            told=lambda answer: answer.split(b" ", 2)[1].decode(),
        )
        answer: bytes = self._gate.make(outside, lambda: self._answer(address, headers, body))
        return answer

    def _answer(self, address: str, headers: Mapping[str, str], body: bytes) -> bytes:
        endpoint = self._known.get(address)
        if endpoint is None:
            raise ConnectionRefusedError(address)
        status, seconds = endpoint.behave(len(endpoint.received))
        hangs = seconds > PATIENCE_SECONDS
        received = Received(self._kernel.elapsed, headers, body, 0 if hangs else status)
        endpoint.received.append(received)
        self._kernel.sleep(min(seconds, PATIENCE_SECONDS))
        if hangs:
            raise TimeoutError("no answer")
        return f"HTTP/1.1 {status} Simulated\r\ncontent-length: 0\r\n\r\n".encode()
