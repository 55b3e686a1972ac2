"""Show payments to those who own them, and to the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.instants import to_text
from riel.domain.money import Money
from riel.domain.payment import Payment, Status
from riel.errors import NotFoundError
from riel.ids import looks_like
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App


def read_payment(app: App, caller: Caller, payment_id: str) -> Payment:
    """Read a payment of the caller's merchant and mode.

    An unknown, malformed or foreign id raises the same NotFoundError.
    """
    payment = app.payments.get(payment_id) if looks_like("pay", payment_id) else None
    if payment is None or not is_owner(caller, payment):
        raise NotFoundError("no such payment")
    return payment


def is_owner(caller: Caller, payment: Payment) -> bool:
    """Whether the payment is of the caller's merchant and mode."""
    return (payment.merchant_id, payment.livemode) == (caller.merchant_id, caller.livemode)


def find_by_key(app: App, caller: Caller, idempotency_key: str) -> Payment | None:
    """Find the payment that this idempotency key has made, strongly consistent.

    A payment and its key are written as one, so a key is never in progress: it is taken or free.
    """
    return app.payments.get(ids.payment_id(caller.merchant_id, caller.livemode, idempotency_key))


def payment_view(payment: Payment) -> dict[str, Any]:
    """A payment as the API shows it."""
    currency = payment.amount.currency
    failure = payment.failure
    return {
        "id": payment.payment_id,
        "amount": str(payment.amount),
        "currency": currency,
        "description": payment.description,
        "metadata": payment.metadata,
        "status": payment.status,
        "livemode": payment.livemode,
        "method": payment.method,
        "gateway": payment.gateway,
        "reference": payment.reference,
        "received_amount": str(Money(payment.received_minor, currency)),
        "idempotency_key": payment.idempotency_key,
        "webhook_url": payment.webhook_url,
        "created_at": to_text(payment.created_at),
        "processed_at": to_text(payment.processed_at) if payment.processed_at else None,
        "refunded_amount": str(Money(payment.refunded_minor, currency)),
        "failure": {"code": failure.code, "message": failure.message} if failure else None,
        "next_action": _next_action(payment),
        "attention": payment.attention,
        "history": [
            {
                "sequence": line.sequence,
                "status": line.status,
                "at": to_text(line.at),
                "cause": line.cause,
            }
            for line in payment.history
        ],
    }


def _next_action(payment: Payment) -> dict[str, str] | None:
    """What the payer has to do now: nothing any more once the payment has moved on."""
    action = payment.next_action
    if action is None or payment.status != Status.AWAITING_PAYMENT:
        return None
    told = {"reference": action.reference, "clabe": action.clabe}
    where = {name: text for name, text in told.items() if text}
    return {"type": action.type, **where, "expires_at": to_text(action.expires_at)}
