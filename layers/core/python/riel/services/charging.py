"""Requests to a gateway: the same for every resend, so they are derived from what is stored."""

from __future__ import annotations

from datetime import datetime

from riel import ids
from riel.domain.methods import voucher_expiry
from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.gateways.base import ChargeRequest, RefundRequest


def charge_request(events_base_url: str, payment: Payment) -> ChargeRequest:
    """Ask for the payment's present charge."""
    return ChargeRequest(
        key=charge_key(payment),
        payment_id=payment.payment_id,
        amount=payment.amount,
        method=payment.method,
        token=payment.payment_method_token,
        expires_at=_expires_at(payment),
        events_url=_events_url(events_base_url, payment.gateway),
    )


def refund_request(events_base_url: str, payment: Payment, refund: Refund) -> RefundRequest:
    """Ask for a refund of what the payment's last charge took."""
    return RefundRequest(
        key=ids.refund_key(refund.refund_id, refund.gateway),
        refund_id=refund.refund_id,
        payment_id=payment.payment_id,
        charge_key=charge_key(payment),
        charge_reference=payment.gateway_reference or "",
        amount=refund.amount,
        events_url=_events_url(events_base_url, refund.gateway),
    )


def charge_key(payment: Payment) -> str:
    """Name the payment's present charge at its gateway."""
    return ids.gateway_key(payment.payment_id, payment.gateway, payment.charge_number)


def _expires_at(payment: Payment) -> datetime | None:
    return voucher_expiry(payment.method, payment.created_at)


def _events_url(base_url: str, gateway: str) -> str:
    return f"{base_url}/api/v1/gateways/{gateway}/webhooks" if base_url else ""
