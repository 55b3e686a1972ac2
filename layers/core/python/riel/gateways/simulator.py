"""The adapter of the two simulated PSPs: JSON over HTTP, amounts in minor units.

    POST /charges                     Idempotency-Key, {payment_id, amount, currency, method, …}
    GET  /charges/by-key/{key}        200 with the same body as the POST's answer, or 404
    POST /charges/by-key/{key}/void   likewise
    POST /refunds                     Idempotency-Key; 200, or 422 for a refund that was declined
    GET  /refunds/by-key/{key}        200 with the same body as the POST's answer, or 404

429 and 503 mean that nothing happened. `standby` answers under `/standby`.

A call has one deadline over all of it, however slowly an answer drips in, and a bound on what it
reads. Each has a connection of its own: only such a one can be cut, and one that was kept over a
pause may be closed at the other end, which would look like a lost answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from riel.deadline import Deadline
from riel.domain.instants import to_text
from riel.errors import (
    ConfigurationError,
    GatewayUnavailableError,
    OutcomeUnknownError,
    RielError,
    UnmappedAnswerError,
)
from riel.gateways import simulator_events
from riel.gateways.base import (
    ChargeRequest,
    GatewayEvent,
    NotFound,
    Outcome,
    RefundOutcome,
    RefundRequest,
)
from riel.gateways.registry import CAPABILITIES
from riel.gateways.simulator_answers import read_outcome, read_refund

MAX_BODY_BYTES = 256 * 1024
"""A hundred times the longest answer."""
_NOTHING_HAPPENED = frozenset({429, 503})
_WITH_AN_OUTCOME = frozenset({200, 422})
# What is packed could be any size when it is unpacked.
_HEADERS = {"connection": "close", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back; `content` is read only where the status says that it tells an outcome."""

    status: int
    content: bytes


class SimulatorGateway:
    """Talks to one of the simulated PSPs at the client's base URL.

    The client's read timeout is the time that a whole call may take.
    """

    def __init__(self, client: httpx.Client, name: str = "simulator") -> None:
        self.name = name
        self.capabilities = CAPABILITIES[name]
        self._client = client
        if client.timeout.read is None:
            raise ConfigurationError("a gateway's client needs a timeout")
        self._seconds = client.timeout.read
        self._prefix = "" if name == "simulator" else f"/{name}"

    def charge(self, request: ChargeRequest) -> Outcome:
        """Ask for a charge, or for a voucher."""
        answer = self._send("POST", "/charges", key=request.key, json=_charge_body(request))
        if answer.status == 200:
            return read_outcome(answer.content, request.key)
        raise _refusal(answer)

    def look_up(self, key: str) -> Outcome | NotFound:
        """Ask what became of a charge.

        A look-up changes nothing, so any failure of it is `unavailable`; the doubt about the
        charge itself stays with the caller.
        """
        answer = self._send_again("GET", f"/charges/by-key/{quote(key, safe='')}")
        return read_outcome(answer.content, key) if answer else NotFound()

    def void(self, key: str) -> Outcome | NotFound:
        """Cancel a voucher that waits; repeating it is safe, so a lost answer is `unavailable`."""
        answer = self._send_again("POST", f"/charges/by-key/{quote(key, safe='')}/void")
        return read_outcome(answer.content, key) if answer else NotFound()

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask for a refund."""
        answer = self._send("POST", "/refunds", key=request.key, json=_refund_body(request))
        if answer.status in _WITH_AN_OUTCOME:
            return read_refund(answer.content, request.key)
        raise _refusal(answer)

    def look_up_refund(self, key: str) -> RefundOutcome | NotFound:
        """Ask what became of a refund."""
        answer = self._send_again("GET", f"/refunds/by-key/{quote(key, safe='')}")
        return read_refund(answer.content, key) if answer else NotFound()

    def parse_event(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
    ) -> GatewayEvent:
        """Check an event's signature over its raw bytes, then read it."""
        return simulator_events.parse_event(headers, body, secrets, now)

    def _send_again(self, method: str, path: str) -> _Answer | None:
        """Send what may be sent any number of times; None for 404."""
        try:
            answer = self._send(method, path)
        except OutcomeUnknownError as error:
            raise GatewayUnavailableError(f"{method} got no answer") from error
        if answer.status == 404:
            return None
        if answer.status == 200:
            return answer
        if answer.status >= 500:
            raise GatewayUnavailableError(f"{method} got HTTP {answer.status}")
        raise _refusal(answer)

    def _send(self, method: str, path: str, key: str = "", **options: Any) -> _Answer:
        headers = _HEADERS | ({"idempotency-key": key} if key else {})
        deadline = Deadline(self._seconds)
        extensions = {"trace": deadline.trace}
        request = self._client.build_request(
            method, self._prefix + path, headers=headers, extensions=extensions, **options
        )
        try:
            with deadline.enforced():
                answer = self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise GatewayUnavailableError(f"no connection: {type(error).__name__}") from error
        except (httpx.HTTPError, OSError) as error:
            why = "DeadlineExceeded" if deadline.is_over else type(error).__name__
            raise OutcomeUnknownError(f"no answer: {why}") from error
        if deadline.is_over:
            # A body without a length ends where the connection was cut.
            raise OutcomeUnknownError("no answer: DeadlineExceeded")
        return answer

    def _exchange(self, request: httpx.Request) -> _Answer:
        response = self._client.send(request, stream=True)
        try:
            is_read = response.status_code in _WITH_AN_OUTCOME
            return _Answer(response.status_code, _body_of(response) if is_read else b"")
        finally:
            response.close()


def _body_of(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise UnmappedAnswerError("an encoding that was not asked for")
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise UnmappedAnswerError(f"an answer of more than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _charge_body(request: ChargeRequest) -> dict[str, Any]:
    return {
        "payment_id": request.payment_id,
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "method": request.method,
        "token": request.token,
        "expires_at": to_text(request.expires_at) if request.expires_at else None,
        "events_url": request.events_url,
    }


def _refund_body(request: RefundRequest) -> dict[str, Any]:
    return {
        "refund_id": request.refund_id,
        "payment_id": request.payment_id,
        "charge_key": request.charge_key,
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "events_url": request.events_url,
    }


def _refusal(answer: _Answer) -> RielError:
    if answer.status in _NOTHING_HAPPENED:
        return GatewayUnavailableError(f"HTTP {answer.status}")
    if answer.status >= 500:
        return OutcomeUnknownError(f"HTTP {answer.status}")
    return UnmappedAnswerError(f"HTTP {answer.status}")
