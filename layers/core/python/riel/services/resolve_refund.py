"""An operator's decision on a refund in review, recorded with who decided and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel import ids
from riel.domain.events import refund_moved
from riel.domain.payment import Failure
from riel.domain.refund import Refund, RefundApplied, RefundChange, RefundStatus, apply_refund
from riel.errors import (
    FieldProblem,
    InvalidRequestError,
    InvalidStateError,
    LeaseLostError,
    NotFoundError,
)
from riel.services.resolve_payment import CAUSE, MAX_REASON_LENGTH

if TYPE_CHECKING:
    from riel.app import App

DECISIONS = (RefundStatus.COMPLETED, RefundStatus.FAILED)
FAILURE = Failure("review_failed", "After a review, the money was not given back.")


def resolve_refund(
    app: App, payment_id: str, refund_id: str, decision: RefundStatus, who: str, why: str
) -> Refund:
    """Move a refund out of review, and tell the merchant; returns the refund after it.

    `failed` lets its amount be refunded again. Raises NotFoundError, InvalidRequestError, or
    InvalidStateError where the refund is not (or no longer) in review.
    """
    why = why.strip()
    if not why or len(why) > MAX_REASON_LENGTH or decision not in DECISIONS:
        message = f"1 to {MAX_REASON_LENGTH} characters, for a decision of completed or failed"
        raise InvalidRequestError((FieldProblem("reason", "reason_invalid", message),))
    payment, refund = app.payments.get(payment_id), app.refunds.get(payment_id, refund_id)
    if payment is None or refund is None:
        raise NotFoundError("no such refund")
    failure = FAILURE if decision is RefundStatus.FAILED else None
    change = RefundChange(decision, app.clock(), CAUSE, failure, note=f"{who}: {why}")
    # In review the only edges are the two decisions, but elsewhere they are the gateway's.
    applied = apply_refund(refund, payment, change)
    if refund.status != RefundStatus.IN_REVIEW or not isinstance(applied, RefundApplied):
        raise InvalidStateError(f"{refund_id} is {refund.status}, not in review")
    after = applied.refund
    event = refund_moved(ids.event_id(refund_id, after.sequence), applied.payment, after)
    try:
        app.refunds.record(refund, after, event)
    except LeaseLostError as lost:
        told = f"{refund_id} was changed at the same moment; look at it again"
        raise InvalidStateError(told) from lost
    return after
