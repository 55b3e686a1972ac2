"""An operator has dealt with what needed attention: noted with who and why, and off the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.domain.attention import T, acknowledge
from riel.domain.payment import Ignored, Payment
from riel.domain.refund import Refund
from riel.errors import FieldProblem, InvalidRequestError, InvalidStateError, NotFoundError

if TYPE_CHECKING:
    from riel.app import App

MAX_REASON_LENGTH = 500


def acknowledge_payment(app: App, payment_id: str, who: str, why: str) -> Payment:
    """Clear a payment's attention; returns the payment after it. Nothing else of it changes.

    Raises NotFoundError, InvalidRequestError, or InvalidStateError where nothing needs attention,
    where a decision is needed instead, or where it came to need attention for something else.
    """
    return _acknowledge(app, app.payments.get(payment_id), who, why)


def acknowledge_refund(app: App, payment_id: str, refund_id: str, who: str, why: str) -> Refund:
    """Clear a refund's attention, as `acknowledge_payment` does a payment's."""
    return _acknowledge(app, app.refunds.get(payment_id, refund_id), who, why)


def _acknowledge(app: App, subject: T | None, who: str, why: str) -> T:
    why = why.strip()
    if not 0 < len(why) <= MAX_REASON_LENGTH:
        rule = f"has to have 1 to {MAX_REASON_LENGTH} characters"
        raise InvalidRequestError((FieldProblem("reason", "reason_invalid", rule),))
    if subject is None:
        raise NotFoundError("no such payment or refund")
    after = acknowledge(subject, who, why, app.clock())
    if isinstance(after, Ignored):
        raise InvalidStateError(after.reason)
    if not app.acknowledgements.write(subject, after):
        raise InvalidStateError("it was changed at the same moment; look at it again")
    return after
