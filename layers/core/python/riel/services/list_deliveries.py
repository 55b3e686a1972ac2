"""Show what a merchant was told of a payment: every event that exists, and how far its delivery is.

An event exists with the transition that it tells of; its delivery begins to be written down by the
first attempt. So the events are those of the histories, and one without an item has not been tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.events import MERCHANT_EVENTS, REFUND_EVENTS
from riel.domain.instants import to_text
from riel.errors import EventExpiredError, NotFoundError
from riel.services.read_payment import is_owner
from riel.store.deliveries import FAILED, PENDING, Attempt, Delivery
from riel.store.keys import OUTBOX_LIFE
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App
    from riel.domain.payment import Payment
    from riel.domain.refund import Refund
    from riel.store.whole_payments import WholePayment


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event that a merchant is told. `sequence` is its subject's, which is a refund or not."""

    delivery: Delivery
    sequence: int
    refund_id: str = ""


def read_deliveries(app: App, caller: Caller, payment_id: str) -> list[ToldEvent]:
    """Read the events of a payment that its merchant is told, the oldest first.

    An unknown, malformed or foreign payment raises the same NotFoundError.
    """
    whole = app.whole_payments.get(payment_id) if ids.looks_like("pay", payment_id) else None
    if whole is None or not is_owner(caller, whole.payment):
        raise NotFoundError("no such payment")
    return told_events(whole, app.clock())


def told_events(whole: WholePayment, now: datetime) -> list[ToldEvent]:
    """Derive the events that a merchant is told, the oldest first; none without an address."""
    if not whole.payment.webhook_url:
        return []
    stored = {delivery.event_id: delivery for delivery in whole.deliveries}
    found = [*_of_payment(whole.payment), *_of_refunds(whole.payment, whole.refunds)]
    told = (
        replace(one, delivery=stored.get(one.delivery.event_id) or _untried(one.delivery, now))
        for one in found
    )
    return sorted(told, key=lambda one: one.delivery.event_at)


def is_kept(delivery: Delivery, now: datetime) -> bool:
    """Whether what was to be sent is still kept, so that it can be sent again."""
    return now - delivery.event_at < OUTBOX_LIFE


def delivery_view(told: ToldEvent) -> dict[str, Any]:
    """A delivery as the API shows it."""
    delivery = told.delivery
    waits = delivery.next_at if delivery.state == PENDING else None
    return {
        "delivery_id": delivery.event_id,
        "type": delivery.type,
        "state": delivery.state,
        "failure": delivery.failure or None,
        "sequence": told.sequence,
        "refund_id": told.refund_id or None,
        "created_at": to_text(delivery.event_at),
        "next_attempt_at": to_text(waits) if waits else None,
        "attempt_count": delivery.attempt_count,
        "attempts": [_attempt_view(attempt) for attempt in delivery.attempts],
    }


def _attempt_view(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "status": attempt.status or None,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error or None,
        "answer": attempt.answer if attempt.status else None,
    }


def _of_payment(payment: Payment) -> Iterator[ToldEvent]:
    for line in payment.history:
        if kind := MERCHANT_EVENTS.get(line.status):
            yield _told(payment, payment.payment_id, kind, line.at, line.sequence)


def _of_refunds(payment: Payment, refunds: tuple[Refund, ...]) -> Iterator[ToldEvent]:
    for refund in refunds:
        for line in refund.history:
            if kind := REFUND_EVENTS.get(line.status):
                told = _told(payment, refund.refund_id, kind, line.at, line.sequence)
                trace = refund.traceparent or payment.traceparent
                begun = replace(told.delivery, traceparent=trace)
                yield replace(told, delivery=begun, refund_id=refund.refund_id)


def _told(payment: Payment, subject: str, kind: str, at: datetime, sequence: int) -> ToldEvent:
    begun = Delivery(
        payment_id=payment.payment_id,
        event_id=ids.event_id(subject, sequence),
        merchant_id=payment.merchant_id,
        type=kind,
        url=payment.webhook_url or "",
        event_at=at,
        traceparent=payment.traceparent,
    )
    return ToldEvent(begun, sequence)


def _untried(begun: Delivery, now: datetime) -> Delivery:
    """Say that it waits, unless what it waited for is gone."""
    return (
        begun
        if is_kept(begun, now)
        else replace(begun, state=FAILED, failure=EventExpiredError.code)
    )
