"""The payment: what the merchant asked for, where it stands, and how it came there.

`TRANSITIONS` is the only table of allowed edges. `apply` is pure: it answers with the payment
after the change, or says why the change is ignored; it never raises for an expected disorder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from riel.domain.money import Money


class Status(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    AWAITING_PAYMENT = "awaiting_payment"
    IN_REVIEW = "in_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Method(StrEnum):
    """How the payer pays."""

    CARD = "card"
    OXXO = "oxxo"
    SPEI = "spei"
    CRYPTO = "crypto"


_S = Status
TRANSITIONS: dict[Status, frozenset[Status]] = {
    _S.PENDING: frozenset({_S.PROCESSING, _S.CANCELED}),
    _S.PROCESSING: frozenset({_S.COMPLETED, _S.FAILED, _S.AWAITING_PAYMENT, _S.IN_REVIEW}),
    _S.AWAITING_PAYMENT: frozenset({_S.COMPLETED, _S.EXPIRED, _S.CANCELED}),
    _S.IN_REVIEW: frozenset({_S.COMPLETED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    # Money that came after we had given the payment up: a named edge, not an exception.
    _S.CANCELED: frozenset({_S.COMPLETED}),
    _S.EXPIRED: frozenset({_S.COMPLETED}),
}
FINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELED, _S.EXPIRED})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment failed, in words for the merchant."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a payment's history. `sequence` starts at 1 and has no gaps.

    `note` is for operators only: who decided, and why.
    """

    sequence: int
    status: Status
    at: datetime
    cause: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment with its whole history; the last line of the history is its status."""

    payment_id: str
    merchant_id: str
    livemode: bool
    amount: Money
    method: Method
    gateway: str
    idempotency_key: str
    fingerprint: str
    history: tuple[Transition, ...]
    description: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    payment_method_token: str | None = None
    reference: str | None = None
    traceparent: str = ""
    processed_at: datetime | None = None
    received_minor: int = 0
    refunded_minor: int = 0
    failure: Failure | None = None
    attention: str | None = None
    attention_reason: str | None = None
    gateway_reference: str | None = None
    cancellation_id: str | None = None
    charge_number: int = 1
    fence: int = 0
    unknown_outcomes: int = 0

    @property
    def status(self) -> Status:
        """The present status."""
        return self.history[-1].status

    @property
    def sequence(self) -> int:
        """The number of the last transition."""
        return self.history[-1].sequence

    @property
    def created_at(self) -> datetime:
        """When the payment was accepted."""
        return self.history[0].at

    @property
    def is_final(self) -> bool:
        """Whether only a named late edge can still change it."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Change:
    """A wish to move a payment to `status`, and what comes with it."""

    status: Status
    at: datetime
    cause: str
    note: str = ""
    failure: Failure | None = None
    received_minor: int | None = None
    gateway_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The change happened: the payment after it, and the new line of its history."""

    payment: Payment
    transition: Transition


@dataclass(frozen=True, slots=True)
class Ignored:
    """The change did not happen, and that is fine."""

    reason: str


def apply(payment: Payment, change: Change) -> Applied | Ignored:
    """Move the payment along an allowed edge, or say why not."""
    if change.status == payment.status:
        return Ignored(f"already {payment.status}")
    if change.status not in TRANSITIONS[payment.status]:
        return Ignored(f"no edge from {payment.status} to {change.status}")
    transition = Transition(
        payment.sequence + 1, change.status, change.at, change.cause, change.note
    )
    moved = replace(
        payment,
        history=(*payment.history, transition),
        failure=change.failure,
        attention=None,
        attention_reason=None,
        processed_at=change.at if change.status in FINAL else payment.processed_at,
        received_minor=_or(change.received_minor, payment.received_minor),
        gateway_reference=_or(change.gateway_reference, payment.gateway_reference),
    )
    return Applied(moved, transition)


def _or(new: Any, old: Any) -> Any:
    return old if new is None else new
