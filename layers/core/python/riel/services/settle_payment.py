"""Settle a payment that nobody has to claim: look at the PSP, and write what it says.

A voucher that waits, one that was canceled, and any payment that a PSP's event is about. Writers
may race: each write holds only if nothing was written since the payment was read, else the payment
is read, and looked up, again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.attention import contradict
from riel.domain.events import payment_moved
from riel.domain.payment import Applied, Change, Ignored, Payment, Status, apply
from riel.domain.refund import refundable_minor
from riel.errors import BrokenError, GatewayUnavailableError, StoreUnavailableError
from riel.gateways.base import Awaiting, NotFound, Outcome
from riel.gateways.registry import find
from riel.observability import count, logger
from riel.services.charging import charge_key
from riel.services.create_refund import refund_late_payment
from riel.services.gateway_step import look
from riel.services.mismatch import Contradiction
from riel.services.outcomes import (
    Noted,
    Unchanged,
    Verdict,
    judge,
    next_overdue_look,
)

if TYPE_CHECKING:
    from riel.app import App

MAX_ROUNDS = 3


def look_into(app: App, payment: Payment) -> str:
    """Look at the PSP and write what it says; return what was done, for the log.

    Raises GatewayUnavailableError, UnmappedAnswerError and StoreUnavailableError, with nothing
    changed.
    """
    for _ in range(MAX_ROUNDS):
        verdict = judge(payment, _outcome(app, payment), app.clock(), grace(app))
        done = _write(app, payment, verdict)
        if done is not None:
            return done
        payment = app.payments.get(payment.payment_id) or payment
    raise StoreUnavailableError("the payment is contended")


def is_open(payment: Payment) -> bool:
    """Whether the PSP has, or may have, a voucher out that every step has to look at."""
    has_voucher = payment.gateway_reference is not None and payment.next_action is not None
    is_canceled = payment.status == Status.CANCELED
    return payment.status == Status.AWAITING_PAYMENT or (is_canceled and has_voucher)


def refund_if_late(app: App, payment: Payment) -> None:
    """Send all that came for a canceled payment back; a repeat makes no second refund."""
    # Enough of it completes the payment all the same, by the late edge.
    was_canceled = Status.CANCELED in (line.status for line in payment.history[-2:])
    if was_canceled and refundable_minor(payment) > 0:
        refund_late_payment(app, payment)


def grace(app: App) -> timedelta:
    """How long after its expiry a voucher's payment may still be on its way."""
    return timedelta(seconds=app.config.expiry_grace_seconds)


def contradicted(payment: Payment, contradiction: Contradiction) -> None:
    """Tell in the log that a PSP contradicts us."""
    about = {"payment_id": payment.payment_id, "gateway": payment.gateway}
    about |= {"cause": contradiction.cause, "reason": contradiction.reason}
    logger.error("the gateway contradicts us", extra=about)


def _outcome(app: App, payment: Payment) -> Outcome | NotFound:
    gateway = find(app.gateways, payment.gateway)
    key = charge_key(payment)
    outcome = look(app, gateway, lambda: gateway.look_up(key))
    if payment.status != Status.CANCELED or not isinstance(outcome, Awaiting):
        return outcome
    # Nobody must pay any more; whoever did so meanwhile is seen by the answer. Voiding twice is
    # voiding once, so a lost answer is no doubt.
    outcome = look(app, gateway, lambda: gateway.void(key))
    if isinstance(outcome, Awaiting):
        raise GatewayUnavailableError("the voucher is not void yet")
    return outcome


def _write(app: App, payment: Payment, verdict: Verdict) -> str | None:
    match verdict:
        case Change():
            return _move(app, payment, verdict)
        case Noted(payment=after):
            return _note(app, payment, after)
        case Contradiction():
            return _note_contradiction(app, payment, verdict)
        case Unchanged():
            return f"{payment.status}: nothing new"


def _note(app: App, before: Payment, after: Payment) -> str | None:
    if not app.payments.note(before, after):
        return None
    # Should we die here, the next step sees the money and does it.
    refund_if_late(app, after)
    return "noted"


def _move(app: App, before: Payment, change: Change) -> str | None:
    applied = apply(before, change)
    if not isinstance(applied, Applied):
        raise BrokenError(f"{before.payment_id}: {applied.reason}")
    after = applied.payment
    event = payment_moved(ids.event_id(after.payment_id, after.sequence), after)
    if not app.payments.move(before, after, event):
        return None
    count("Payment" + after.status.title().replace("_", ""))
    refund_if_late(app, after)
    return str(after.status)


def _note_contradiction(app: App, payment: Payment, told: Contradiction) -> str | None:
    if payment.status == Status.IN_REVIEW:
        return "in_review: still contradicted"
    raised = contradict(payment, told.words, app.clock())
    if isinstance(raised, Ignored):
        raised = payment
    else:
        contradicted(payment, told)
        count("GatewayContradicted")
    after = replace(raised, due_at=next_overdue_look(payment, app.clock(), grace(app)))
    return f"contradicted: {told.cause}" if app.payments.note(payment, after) else None
