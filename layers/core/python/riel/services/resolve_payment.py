"""An operator's decision on a payment in review, recorded with who decided and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.events import payment_moved
from riel.domain.money import AmountError, Money, parse_amount
from riel.domain.payment import Applied, Attention, Change, Failure, Payment, Status, apply
from riel.errors import (
    BrokenError,
    FieldProblem,
    InvalidRequestError,
    InvalidStateError,
    NotFoundError,
)

if TYPE_CHECKING:
    from riel.app import App

DECISIONS = (Status.COMPLETED, Status.FAILED)
MAX_REASON_LENGTH = 500
CAUSE = "resolved_by_operator"
# The operator's reason is ours; the merchant is told no more than that the review is over.
FAILURE = Failure("review_failed", "After a review, the payment was not completed.")


def resolve_payment(
    app: App, payment_id: str, decision: Status, who: str, why: str, received: str | None = None
) -> Payment:
    """Move a payment out of review, and tell its merchant; returns the payment after it.

    `received` is what came of a payment that is `completed`, in major units; untold, it is what was
    recorded as received, or else the whole amount. Raises NotFoundError, InvalidRequestError, or
    InvalidStateError where the payment is not (or no longer) in review.
    """
    why = why.strip()
    if not why or len(why) > MAX_REASON_LENGTH or decision not in DECISIONS:
        message = f"1 to {MAX_REASON_LENGTH} characters, for a decision of completed or failed"
        raise InvalidRequestError((FieldProblem("reason", "reason_invalid", message),))
    payment = app.payments.get(payment_id)
    if payment is None:
        raise NotFoundError("no such payment")
    # In review the only edges are the two decisions, but elsewhere they are the gateway's.
    if payment.status != Status.IN_REVIEW:
        raise InvalidStateError(f"{payment_id} is {payment.status}, not in review")
    came = _received(payment, decision, received)
    applied = apply(payment, _change(app.clock(), payment, decision, came, f"{who}: {why}"))
    if not isinstance(applied, Applied):
        raise BrokenError(f"{payment_id}: {applied.reason}")
    after = applied.payment
    event = payment_moved(ids.event_id(payment_id, after.sequence), after)
    if not app.payments.move(payment, after, event):
        raise InvalidStateError(f"{payment_id} was changed at the same moment; look at it again")
    return after


def _received(payment: Payment, decision: Status, told: str | None) -> Money | None:
    """What came, as the operator says; None where nothing is to be recorded."""
    if decision is Status.FAILED:
        if told is None:
            return None
        raise _refused("received_invalid", "only what is resolved as completed has received money")
    currency = payment.amount.currency
    if told is None:
        return Money(payment.received_minor or payment.amount.minor, currency)
    try:
        return parse_amount(told, currency)
    except AmountError as error:
        raise _refused(error.code, str(error)) from error


def _refused(code: str, message: str) -> InvalidRequestError:
    return InvalidRequestError((FieldProblem("received", code, message),))


def _change(
    now: datetime, payment: Payment, decision: Status, came: Money | None, note: str
) -> Change:
    return Change(
        decision,
        now,
        CAUSE,
        note=note,
        failure=None if decision is Status.COMPLETED else FAILURE,
        received_minor=came.minor if came else None,
        attention=_attention(came, payment.amount) if came else None,
    )


def _attention(came: Money, asked: Money) -> Attention | None:
    """What the merchant should look at before delivering."""
    if came.minor == asked.minor:
        return None
    return Attention.OVERPAID if came.minor > asked.minor else Attention.UNDERPAID
