"""What the simulator knows of a charge and of its refunds, and how it words them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from riel.store.items import from_fields


class Status(StrEnum):
    """What became of a charge."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    AWAITING = "awaiting"
    PAID = "paid"
    VOIDED = "voided"
    POISONED = "poisoned"
    """Never said: a poisoned charge is answered with what no adapter understands."""


class RefundStatus(StrEnum):
    """What became of a refund."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Refund:
    """The answer to one idempotency key of a refund; `reference` is what the simulator calls it."""

    idempotency_key: str
    reference: str
    refund_id: str
    payment_id: str
    charge_id: str
    amount: int
    currency: str
    status: str
    created_at: str
    decline_code: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """The answer to one idempotency key of one of the simulated PSPs; amounts in minor units.

    `state` is what is stored; a voucher's `status` follows from it and from what was `received`,
    so a deposit is one addition and nothing else. `echo` is the payment that the answer names,
    `voucher` an OXXO reference or a CLABE, `deposits` what came by the deposit's id.
    """

    idempotency_key: str
    charge_id: str
    gateway: str
    payment_id: str
    echo: str
    amount: int
    currency: str
    method: str
    state: str
    created_at: str
    token: str = ""
    decline_code: str = ""
    voucher: str = ""
    expires_at: str = ""
    events_url: str = ""
    received: int = 0
    refunded: int = 0
    deposits: Mapping[str, int] = field(default_factory=dict)
    refunds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Where the charge stands: enough money makes a voucher paid, even a voided one."""
        if self.voucher and self.received >= self.amount:
            return Status.PAID
        return Status(self.state)

    @property
    def has_moved_money(self) -> bool:
        """Whether the payer was charged."""
        return self.status in (Status.SUCCEEDED, Status.PAID)

    def refund(self, key: str) -> Refund | None:
        """Find one refund of this charge."""
        fields = self.refunds.get(key)
        return from_fields(Refund, fields) if fields else None


def line(charge: Charge) -> dict[str, Any]:
    """Word a charge for the list of all that moved money."""
    return {
        "charge_id": charge.charge_id,
        "payment_id": charge.payment_id,
        "idempotency_key": charge.idempotency_key,
        "amount": charge.amount,
        "currency": charge.currency,
        "status": charge.status,
        "created_at": charge.created_at,
        "gateway": charge.gateway,
        "method": charge.method,
        "received": charge.received,
        "refunded": charge.refunded,
    }


def worded(charge: Charge) -> dict[str, Any]:
    """Word a charge for who asked for it."""
    if charge.status is Status.POISONED:
        return {"verdict": "perhaps", "charge_id": charge.charge_id}
    return {
        **line(charge),
        "payment_id": charge.echo,
        "decline_code": charge.decline_code,
        "next_action": _next_action(charge) if charge.status is Status.AWAITING else None,
    }


def _next_action(charge: Charge) -> dict[str, str]:
    if charge.method == "oxxo":
        action = {"type": "oxxo_voucher", "reference": charge.voucher}
    else:
        action = {"type": "spei_transfer", "clabe": charge.voucher}
    return {**action, "expires_at": charge.expires_at}
