"""An operator's decision on a payment in review, recorded with who decided and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel import ids
from riel.domain.events import payment_moved
from riel.domain.payment import Applied, Change, Failure, Payment, Status, apply
from riel.errors import FieldProblem, InvalidRequestError, InvalidStateError, NotFoundError

if TYPE_CHECKING:
    from riel.app import App

DECISIONS = (Status.COMPLETED, Status.FAILED)
MAX_REASON_LENGTH = 500
CAUSE = "resolved_by_operator"
# The operator's reason is ours; the merchant is told no more than that the review is over.
FAILURE = Failure("review_failed", "After a review, the payment was not completed.")


def resolve_payment(app: App, payment_id: str, decision: Status, who: str, why: str) -> Payment:
    """Move a payment out of review, and tell its merchant; returns the payment after it.

    `completed` counts the whole amount as received. Raises NotFoundError, InvalidRequestError, or
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
    applied = apply(payment, _change(app, payment, decision, f"{who}: {why}"))
    if payment.status != Status.IN_REVIEW or not isinstance(applied, Applied):
        raise InvalidStateError(f"{payment_id} is {payment.status}, not in review")
    after = applied.payment
    event = payment_moved(ids.event_id(payment_id, after.sequence), after)
    if not app.payments.move(payment, after, event):
        raise InvalidStateError(f"{payment_id} was changed at the same moment; look at it again")
    return after


def _change(app: App, payment: Payment, decision: Status, note: str) -> Change:
    is_completed = decision is Status.COMPLETED
    return Change(
        decision,
        app.clock(),
        CAUSE,
        note=note,
        failure=None if is_completed else FAILURE,
        received_minor=payment.amount.minor if is_completed else None,
    )
