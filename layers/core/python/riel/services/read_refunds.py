"""Show the refunds of a payment to those who own it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riel.domain.instants import to_text
from riel.domain.refund import Refund
from riel.errors import NotFoundError
from riel.ids import looks_like
from riel.services.read_payment import read_payment
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App


def read_refunds(app: App, caller: Caller, payment_id: str) -> list[Refund]:
    """Read all refunds of a payment, the oldest first, strongly consistent.

    An unknown, malformed or foreign payment raises the same NotFoundError.
    """
    payment = read_payment(app, caller, payment_id)
    return app.refunds.of_payment(payment.payment_id) if payment.refund_count else []


def read_refund(app: App, caller: Caller, payment_id: str, refund_id: str) -> Refund:
    """Read one refund of a payment, strongly consistent.

    An unknown or malformed id raises NotFoundError, a foreign payment the same as an unknown one.
    """
    payment = read_payment(app, caller, payment_id)
    is_id = looks_like("re", refund_id)
    refund = app.refunds.get(payment.payment_id, refund_id) if is_id else None
    if refund is None:
        raise NotFoundError("no such refund")
    return refund


def refund_view(refund: Refund) -> dict[str, Any]:
    """A refund as the API shows it."""
    failure = refund.failure
    return {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "amount": str(refund.amount),
        "currency": refund.amount.currency,
        "status": refund.status,
        "reason": refund.reason,
        "created_at": to_text(refund.created_at),
        "processed_at": to_text(refund.processed_at) if refund.processed_at else None,
        "failure": {"code": failure.code, "message": failure.message} if failure else None,
        "history": [
            {
                "sequence": line.sequence,
                "status": line.status,
                "at": to_text(line.at),
                "cause": line.cause,
            }
            for line in refund.history
        ],
    }
