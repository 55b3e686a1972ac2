"""Fall back to the route's next gateway, while provably nothing was sent to the present one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from riel.domain.payment import Payment
from riel.gateways.routing import candidates
from riel.observability import count, logger
from riel.services.steps import Step, body_of

if TYPE_CHECKING:
    from riel.app import App


def next_gateway(app: App, step: Step, payment: Payment) -> str | None:
    """Name the gateway to fall back to, if it is time to and nobody can be charged twice."""
    is_in_doubt = payment.quiet_since_ms or payment.unknown_outcomes
    if is_in_doubt or step.waits < app.config.fallback_after_waits:
        return None
    method, currency = payment.method, payment.amount.currency
    names = candidates(app.routes, method, currency, livemode=payment.livemode)
    if payment.gateway not in names:
        return None
    for name in names[names.index(payment.gateway) + 1 :]:
        if name in app.gateways and app.switches.is_on(f"gateway.{name}"):
            return name
    return None


def fall_back(app: App, step: Step, payment: Payment, gateway: str) -> str:
    """Hand a claimed payment to another gateway, and give the claim back."""
    moved = replace(
        payment,
        gateway=gateway,
        left_gateways=(*payment.left_gateways, payment.gateway),
        attention=None,
        attention_reason=None,
    )
    if not app.payments.release(moved):
        return "another worker has the payment"
    again = replace(step, waits=0, gateway=gateway)
    app.gateway_queue(gateway).send(body_of(again))
    count("PaymentFellBack")
    about = {"payment_id": payment.payment_id, "from": payment.gateway, "to": gateway}
    logger.warning("the payment fell back to another gateway", extra=about)
    return f"fell back from {payment.gateway} to {gateway}"
