"""Stored payments that stand where a test needs them, without a processor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from riel import ids
from riel.app import App
from riel.domain.events import MERCHANT_EVENTS, payment_created, payment_moved
from riel.domain.payment import Applied, Change, Method, NextAction, Payment, Status, apply
from tests.builders import NOON, store_payment

VOUCHER = NextAction("oxxo_voucher", NOON + timedelta(days=3), reference="12345678901234")


def advance(app: App, payment: Payment, status: Status, **change: Any) -> Payment:
    """Move a stored payment along one of its edges, with the event that belongs to it."""
    applied = apply(payment, Change(status, app.clock(), "test", **change))
    assert isinstance(applied, Applied), applied
    after = applied.payment
    write = payment_moved if status in MERCHANT_EVENTS else payment_created
    event = write(ids.event_id(after.payment_id, after.sequence), after)
    assert app.payments.move(payment, after, event)
    return after


def store_completed(app: App, received_minor: int | None = None, **fields: Any) -> Payment:
    """A payment that was paid, wholly unless `received_minor` says otherwise."""
    payment = advance(app, store_payment(app, **fields), Status.PROCESSING)
    received = payment.amount.minor if received_minor is None else received_minor
    return advance(app, payment, Status.COMPLETED, received_minor=received)


def store_awaiting(app: App, next_action: NextAction = VOUCHER, **fields: Any) -> Payment:
    """A payment whose payer has a voucher and has not paid."""
    payment = store_payment(app, **{"method": Method.OXXO, **fields})
    payment = advance(app, payment, Status.PROCESSING)
    return advance(
        app,
        payment,
        Status.AWAITING_PAYMENT,
        next_action=next_action,
        gateway_reference="ref-1",
        due_at=next_action.expires_at,
    )
