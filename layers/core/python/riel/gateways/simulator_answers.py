"""What the simulator's answers mean in our words. Pure, and strict: what is not known is an error.

    charge  {"idempotency_key", "charge_id", "payment_id", "amount", "currency", "received",
             "status", "decline_code", "next_action"}
    refund  {"idempotency_key", "reference", "refund_id", "amount", "currency", "status",
             "decline_code"}

Amounts are whole minor units. Whether they fit what was asked for is not judged here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from riel.domain.clabe import is_clabe
from riel.domain.currencies import EXPONENTS
from riel.domain.instants import from_text
from riel.domain.money import Money
from riel.domain.payment import NextAction
from riel.errors import UnmappedAnswerError
from riel.gateways.base import (
    Awaiting,
    Charged,
    Declined,
    Outcome,
    RefundDeclined,
    Refunded,
    RefundOutcome,
    Voided,
)

DECLINES = {
    "card_declined": ("The card was declined.", False),
    "insufficient_funds": ("The card has insufficient funds.", False),
    "voucher_declined": ("No voucher was issued.", False),
    "issuer_unavailable": ("The issuer could not be reached.", True),
}
"""What the merchant reads for each code, and whether a new charge may succeed."""
REFUND_DECLINES = {
    "refund_declined": "The refund was declined.",
    "exceeds_charge": "The refund exceeds what was charged.",
}
YEARS = range(1970, 9001)

Body = dict[str, Any]
T = TypeVar("T")


def read_outcome(content: bytes, key: str) -> Outcome:
    """Read the answer about the charge with this key, or raise UnmappedAnswerError."""
    return _read(content, key, CHARGE_STATUSES)


def read_refund(content: bytes, key: str) -> RefundOutcome:
    """Read the answer about the refund with this key, or raise UnmappedAnswerError."""
    return _read(content, key, REFUND_STATUSES)


def read_object(content: bytes) -> Body:
    """Read a JSON object, or raise UnmappedAnswerError."""
    try:
        body = json.loads(content)
    # Too deep is a RecursionError; none of the simulator's documents is.
    except (ValueError, RecursionError) as error:
        raise UnmappedAnswerError("not JSON") from error
    if not isinstance(body, dict):
        raise UnmappedAnswerError("not a JSON object")
    return body


def text_of(body: Body, name: str) -> str:
    """Read a text that has to be there; raises KeyError or TypeError."""
    value = body[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is not a text")
    return value


def instant_of(body: Body, name: str) -> datetime:
    """Read an instant with its time zone; raises KeyError, TypeError or ValueError.

    At the edges of the calendar no grace can be added and no zone changed, so what lies near them
    is no instant.
    """
    instant = from_text(text_of(body, name))
    if instant.tzinfo is None or instant.year not in YEARS:
        raise ValueError(f"{name} has no time zone, or no year of ours")
    return instant


def _read(content: bytes, key: str, readers: dict[str, Callable[[Body], T]]) -> T:
    body = read_object(content)
    try:
        if text_of(body, "idempotency_key") != key:
            raise UnmappedAnswerError("an answer about another key")
        return readers[text_of(body, "status")](body)
    except (KeyError, TypeError, ValueError) as error:
        raise UnmappedAnswerError(f"not an answer of the simulator: {error!r:.80}") from error


def _charged(body: Body) -> Charged:
    return Charged(
        text_of(body, "payment_id"),
        _money(body, "amount"),
        text_of(body, "charge_id"),
        _money(body, "received"),
    )


def _declined(body: Body) -> Declined:
    code = text_of(body, "decline_code")
    message, is_soft = DECLINES[code]
    return Declined(text_of(body, "payment_id"), _money(body, "amount"), code, message, is_soft)


def _awaiting(body: Body) -> Awaiting:
    return Awaiting(
        text_of(body, "payment_id"),
        _money(body, "amount"),
        text_of(body, "charge_id"),
        _next_action(body["next_action"]),
        _money(body, "received"),
    )


def _voided(body: Body) -> Voided:
    return Voided(
        text_of(body, "payment_id"),
        _money(body, "amount"),
        text_of(body, "charge_id"),
        _money(body, "received"),
    )


CHARGE_STATUSES: dict[str, Callable[[Body], Outcome]] = {
    "succeeded": _charged,
    "paid": _charged,
    "declined": _declined,
    "awaiting": _awaiting,
    "voided": _voided,
}
"""Every status of a charge; any other is an UnmappedAnswerError."""


def _refunded(body: Body) -> Refunded:
    return Refunded(text_of(body, "refund_id"), _money(body, "amount"), text_of(body, "reference"))


def _refund_declined(body: Body) -> RefundDeclined:
    code = text_of(body, "decline_code")
    refund_id, amount = text_of(body, "refund_id"), _money(body, "amount")
    return RefundDeclined(refund_id, amount, code, REFUND_DECLINES[code])


REFUND_STATUSES: dict[str, Callable[[Body], RefundOutcome]] = {
    "succeeded": _refunded,
    "declined": _refund_declined,
}
"""Every status of a refund; any other is an UnmappedAnswerError."""


def _next_action(body: Body) -> NextAction:
    expires_at = instant_of(body, "expires_at")
    kind = text_of(body, "type")
    if kind == "oxxo_voucher":
        reference = text_of(body, "reference")
        if len(reference) != 14 or not (reference.isascii() and reference.isdigit()):
            raise ValueError("the reference has not 14 digits")
        return NextAction(kind, expires_at, reference=reference)
    if kind == "spei_transfer":
        clabe = text_of(body, "clabe")
        if not is_clabe(clabe):
            raise ValueError("the CLABE is none")
        return NextAction(kind, expires_at, clabe=clabe)
    raise ValueError("an unknown next action")


def _money(body: Body, name: str) -> Money:
    minor, currency = body[name], body["currency"]
    if type(minor) is not int or minor < 0 or currency not in EXPONENTS:
        raise ValueError(f"{name} or currency")
    return Money(minor, currency)
