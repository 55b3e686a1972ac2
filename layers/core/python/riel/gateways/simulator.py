"""The adapter of the two simulated PSPs: JSON over HTTP, amounts in minor units.

    POST /charges                     Idempotency-Key, {payment_id, amount, currency, method, …}
    GET  /charges/by-key/{key}        200 with the same body as the POST's answer, or 404
    POST /charges/by-key/{key}/void   likewise
    POST /refunds                     Idempotency-Key; 200, or 422 for a refund that was declined
    GET  /refunds/by-key/{key}        200 with the same body as the POST's answer, or 404

429 and 503 mean that nothing happened. `standby` answers under `/standby`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from riel.domain.instants import to_text
from riel.errors import (
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

_NOTHING_HAPPENED = frozenset({429, 503})


class SimulatorGateway:
    """Talks to one of the simulated PSPs at the client's base URL."""

    def __init__(self, client: httpx.Client, name: str = "simulator") -> None:
        self.name = name
        self.capabilities = CAPABILITIES[name]
        self._client = client
        self._prefix = "" if name == "simulator" else f"/{name}"

    def charge(self, request: ChargeRequest) -> Outcome:
        """Ask for a charge, or for a voucher."""
        answer = self._send("POST", "/charges", key=request.key, json=_charge_body(request))
        if answer.status_code == 200:
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
        if answer.status_code in (200, 422):
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

    def _send_again(self, method: str, path: str) -> httpx.Response | None:
        """Send what may be sent any number of times; None for 404."""
        try:
            answer = self._send(method, path)
        except OutcomeUnknownError as error:
            raise GatewayUnavailableError(f"{method} got no answer") from error
        if answer.status_code == 404:
            return None
        if answer.status_code == 200:
            return answer
        if answer.status_code >= 500:
            raise GatewayUnavailableError(f"{method} got HTTP {answer.status_code}")
        raise _refusal(answer)

    def _send(self, method: str, path: str, key: str = "", **options: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            return self._client.request(method, self._prefix + path, headers=headers, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise GatewayUnavailableError(f"no connection: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknownError(f"no answer: {type(error).__name__}") from error


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


def _refusal(answer: httpx.Response) -> RielError:
    if answer.status_code in _NOTHING_HAPPENED:
        return GatewayUnavailableError(f"HTTP {answer.status_code}")
    if answer.status_code >= 500:
        return OutcomeUnknownError(f"HTTP {answer.status_code}")
    return UnmappedAnswerError(f"HTTP {answer.status_code}")
