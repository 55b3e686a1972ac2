"""Events: facts about payments, written in the same transaction as the change that they tell of.

The body that a merchant gets is frozen here, from the committed version of the payment, so a
retry days later says what was true then (Standard Webhooks: `type`, `timestamp`, `data`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from riel.domain.instants import to_text
from riel.domain.money import Money
from riel.domain.payment import Payment, Status

if TYPE_CHECKING:
    from riel.domain.refund import Refund

CREATED = "payment.created"
REFUND_CREATED = "refund.created"
MERCHANT_EVENTS: dict[Status, str] = {
    Status.COMPLETED: "payment.completed",
    Status.FAILED: "payment.failed",
    Status.AWAITING_PAYMENT: "payment.awaiting_payment",
    Status.EXPIRED: "payment.expired",
    Status.CANCELED: "payment.canceled",
    Status.IN_REVIEW: "payment.in_review",
}
"""The statuses that a merchant is told of; `processing` is ours alone."""

REFUND_EVENTS = {"completed": "refund.completed", "failed": "refund.failed"}
"""Of a refund, only its end is told; by its status, spelled out so that accepting a payment need
not know of refunds."""
TOLD_TO_MERCHANTS = frozenset({*MERCHANT_EVENTS.values(), *REFUND_EVENTS.values()})


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `event_id` is derived from its subject and the sequence, so it is stable.

    `gateway` names whose queue the next step stands in; `refund_id` is empty unless the fact is
    about a refund, and `sequence` is then the refund's.
    """

    event_id: str
    type: str
    payment_id: str
    merchant_id: str
    sequence: int
    at: datetime
    body: str = ""
    webhook_url: str | None = None
    traceparent: str = ""
    gateway: str = ""
    refund_id: str = ""


def payment_created(event_id: str, payment: Payment) -> Event:
    """Tell our own pipeline that a payment waits for its gateway step."""
    return _event(event_id, CREATED, payment, body="")


def payment_moved(event_id: str, payment: Payment) -> Event:
    """Tell the merchant the payment's present status."""
    kind = MERCHANT_EVENTS[payment.status]
    return _event(event_id, kind, payment, body=merchant_body(kind, payment))


def refund_created(event_id: str, payment: Payment, refund: Refund) -> Event:
    """Tell our own pipeline that a refund waits for its gateway step."""
    return _refund_event(event_id, REFUND_CREATED, payment, refund, body="")


def refund_moved(event_id: str, payment: Payment, refund: Refund) -> Event:
    """Tell the merchant how a refund ended."""
    kind = REFUND_EVENTS[refund.status]
    return _refund_event(event_id, kind, payment, refund, refund_body(kind, payment, refund))


def refund_body(kind: str, payment: Payment, refund: Refund) -> str:
    """Write the JSON that the merchant receives about a refund, byte for byte."""
    data = {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "status": refund.status,
        "processed_at": to_text(refund.processed_at) if refund.processed_at else None,
        "amount": str(refund.amount),
        "currency": refund.amount.currency,
        "sequence": refund.sequence,
        "metadata": payment.metadata,
    }
    body = {"type": kind, "timestamp": to_text(refund.history[-1].at), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def merchant_body(kind: str, payment: Payment) -> str:
    """Write the JSON that the merchant receives and that is signed, byte for byte."""
    at = payment.history[-1].at
    data = {
        "payment_id": payment.payment_id,
        "status": payment.status,
        "processed_at": to_text(payment.processed_at) if payment.processed_at else None,
        "amount": str(payment.amount),
        "currency": payment.amount.currency,
        "received_amount": str(Money(payment.received_minor, payment.amount.currency)),
        "attention": payment.attention,
        "sequence": payment.sequence,
        "metadata": payment.metadata,
    }
    body = {"type": kind, "timestamp": to_text(at), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _event(event_id: str, kind: str, payment: Payment, body: str) -> Event:
    return Event(
        event_id=event_id,
        type=kind,
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        sequence=payment.sequence,
        at=payment.history[-1].at,
        body=body,
        webhook_url=payment.webhook_url,
        traceparent=payment.traceparent,
        gateway=payment.gateway,
    )


def _refund_event(event_id: str, kind: str, payment: Payment, refund: Refund, body: str) -> Event:
    return Event(
        event_id=event_id,
        type=kind,
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        sequence=refund.sequence,
        at=refund.history[-1].at,
        body=body,
        webhook_url=payment.webhook_url,
        traceparent=refund.traceparent or payment.traceparent,
        gateway=refund.gateway,
        refund_id=refund.refund_id,
    )
