"""What a merchant can do with a payment as it stands: told wherever something else is refused."""

from __future__ import annotations

from riel.domain.payment import TRANSITIONS, Payment, Status
from riel.domain.refund import MAX_REFUNDS, refundable_minor
from riel.gateways.registry import CAPABILITIES


def allowed_actions(payment: Payment) -> tuple[str, ...]:
    """Name what the payment allows now, in the words of the API's paths; there may be none."""
    can_cancel = Status.CANCELED in TRANSITIONS[payment.status]
    may_refund = payment.refund_count < MAX_REFUNDS and gateway_refunds(payment)
    can_refund = may_refund and refundable_minor(payment) > 0
    return (*(("cancel",) if can_cancel else ()), *(("refund",) if can_refund else ()))


def gateway_refunds(payment: Payment) -> bool:
    """Whether the payment's gateway gives money back for its method."""
    capabilities = CAPABILITIES.get(payment.gateway)
    return capabilities is not None and payment.method in capabilities.refunds


def refusal(payment: Payment, why: str) -> str:
    """Say why an action is refused, and which ones are not."""
    return f"{why}; allowed now: {', '.join(allowed_actions(payment)) or 'nothing'}"
