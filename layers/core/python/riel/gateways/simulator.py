"""The simulator PSP's adapter: JSON over HTTP, amounts in minor units.

    POST /charges                  Idempotency-Key, {payment_id, amount, currency, token?}
    GET  /charges/by-key/{key}     200 with the same body as the POST's answer, or 404

An answer is {"idempotency_key", "charge_id", "status": "succeeded" | "declined", "amount",
"currency", "decline_code"}; 429 and 503 mean that nothing happened.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from riel.domain.currencies import EXPONENTS
from riel.domain.money import Money
from riel.errors import (
    GatewayUnavailableError,
    OutcomeUnknownError,
    RielError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, ChargeRequest, Declined, NotFound, Outcome

DECLINES = {
    "card_declined": "The card was declined.",
    "insufficient_funds": "The card has insufficient funds.",
}
_NOTHING_HAPPENED = frozenset({429, 503})


class SimulatorGateway:
    """Talks to the simulator at the client's base URL."""

    name = "simulator"

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def charge(self, request: ChargeRequest) -> Outcome:
        """Ask for a charge."""
        body = {
            "payment_id": request.payment_id,
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "token": request.token,
        }
        headers = {"Idempotency-Key": request.key}
        answer = self._send("POST", "/charges", headers=headers, json=body)
        if answer.status_code == 200:
            return _outcome(answer, request.key)
        raise _refusal(answer)

    def look_up(self, key: str) -> Outcome | NotFound:
        """Ask what became of a charge.

        A look-up changes nothing, so any failure of it is `unavailable`; the doubt about the
        charge itself stays with the caller.
        """
        try:
            answer = self._send("GET", f"/charges/by-key/{quote(key, safe='')}")
        except OutcomeUnknownError as error:
            raise GatewayUnavailableError("the look-up got no answer") from error
        if answer.status_code == 404:
            return NotFound()
        if answer.status_code == 200:
            return _outcome(answer, key)
        if answer.status_code >= 500:
            raise GatewayUnavailableError(f"the look-up got HTTP {answer.status_code}")
        raise _refusal(answer)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise GatewayUnavailableError(f"no connection: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknownError(f"no answer: {type(error).__name__}") from error


def _refusal(answer: httpx.Response) -> RielError:
    if answer.status_code in _NOTHING_HAPPENED:
        return GatewayUnavailableError(f"HTTP {answer.status_code}")
    if answer.status_code >= 500:
        return OutcomeUnknownError(f"HTTP {answer.status_code}")
    return UnmappedAnswerError(f"HTTP {answer.status_code}")


def _outcome(answer: httpx.Response, key: str) -> Outcome:
    try:
        body = answer.json()
        if body["idempotency_key"] != key:
            raise UnmappedAnswerError("an answer about another charge")
        match body["status"]:
            case "succeeded":
                return Charged(_text(body["charge_id"]), _money(body))
            case "declined" if body["decline_code"] in DECLINES:
                return Declined(body["decline_code"], DECLINES[body["decline_code"]])
            case status:
                raise UnmappedAnswerError(f"status {status!r:.40}")
    except (ValueError, KeyError, TypeError) as error:
        raise UnmappedAnswerError(f"not an answer of the simulator: {error!r:.80}") from error


def _money(body: dict[str, Any]) -> Money:
    minor, currency = body["amount"], body["currency"]
    if type(minor) is not int or currency not in EXPONENTS:
        raise ValueError("amount or currency")
    return Money(minor, currency)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a text is missing")
    return value
