"""The refund: money that goes back for a payment, an object with states and a history of its own.

    pending ─► processing ─► completed | failed | in_review ─► completed | failed

`TRANSITIONS` is the only table of its edges. What refunds have taken of a payment is counted in
the payment (`reserved_minor`), in the same transaction as each change here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from riel.domain.money import Money
from riel.domain.payment import Acknowledgement, Failure, Ignored, Payment, Status

MAX_REFUNDS = 100
"""Of one payment: they are read together."""
REFUNDABLE = (Status.COMPLETED, Status.CANCELED, Status.EXPIRED)
"""Where a payment's money can be given back; a voucher that ended may have been paid short."""


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    IN_REVIEW = "in_review"


_S = RefundStatus
TRANSITIONS: dict[RefundStatus, frozenset[RefundStatus]] = {
    _S.PENDING: frozenset({_S.PROCESSING}),
    _S.PROCESSING: frozenset({_S.COMPLETED, _S.FAILED, _S.IN_REVIEW}),
    _S.IN_REVIEW: frozenset({_S.COMPLETED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class RefundTransition:
    """One line of a refund's history. `sequence` starts at 1 and has no gaps.

    `note` is for operators only: who decided and why, or what the PSP said.
    """

    sequence: int
    status: RefundStatus
    at: datetime
    cause: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund; the last line of its history is its status.

    The fields of the claim (`fence`, `quiet_since_ms`, `unknown_outcomes`, `look_ups`,
    `not_before_ms`, `due_at`) and of attention are a payment's.
    """

    refund_id: str
    payment_id: str
    merchant_id: str
    amount: Money
    fingerprint: str
    gateway: str
    history: tuple[RefundTransition, ...]
    reason: str = ""
    traceparent: str = ""
    processed_at: datetime | None = None
    failure: Failure | None = None
    gateway_reference: str | None = None
    attention: str | None = None
    attention_reason: str | None = None
    attention_at: datetime | None = None
    acknowledged: tuple[Acknowledgement, ...] = ()
    fence: int = 0
    quiet_since_ms: int = 0
    unknown_outcomes: int = 0
    look_ups: int = 0
    not_before_ms: int = 0
    due_at: datetime | None = None

    @property
    def status(self) -> RefundStatus:
        """The present status."""
        return self.history[-1].status

    @property
    def sequence(self) -> int:
        """The number of the last transition."""
        return self.history[-1].sequence

    @property
    def created_at(self) -> datetime:
        """When the refund was accepted."""
        return self.history[0].at

    @property
    def is_final(self) -> bool:
        """Whether nothing can change it any more."""
        return not TRANSITIONS[self.status]


@dataclass(frozen=True, slots=True)
class RefundChange:
    """A wish to move a refund to `status`, and what comes with it."""

    status: RefundStatus
    at: datetime
    cause: str
    failure: Failure | None = None
    gateway_reference: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefundApplied:
    """The change happened: the refund after it, and the payment that counts it."""

    refund: Refund
    payment: Payment


def refundable_minor(payment: Payment) -> int:
    """What can still be refunded: received, less what refunds have taken, pending ones included."""
    if payment.status not in REFUNDABLE:
        return 0
    return payment.received_minor - payment.reserved_minor


def why_not_refundable(payment: Payment) -> str:
    """Say why nothing of the payment can be refunded where it stands; empty if that may be."""
    if payment.status not in REFUNDABLE:
        *some, last = REFUNDABLE
        places = f"{', '.join(some)} or {last}"
        return f"the payment is {payment.status}; it can be refunded when it is {places}"
    if not payment.received_minor:
        return f"the payment is {payment.status} and nothing was received"
    if payment.refund_count >= MAX_REFUNDS:
        return f"the payment has {MAX_REFUNDS} refunds already"
    return ""


def reserve(payment: Payment, amount: Money) -> Payment | Ignored:
    """Take an amount of what can be refunded, or say why not."""
    why = why_not_refundable(payment)
    if why:
        return Ignored(why)
    if not 0 < amount.minor <= refundable_minor(payment):
        rest = Money(refundable_minor(payment), payment.amount.currency)
        return Ignored(f"{rest} {rest.currency} can still be refunded")
    return replace(
        payment,
        reserved_minor=payment.reserved_minor + amount.minor,
        refund_count=payment.refund_count + 1,
    )


def apply_refund(refund: Refund, payment: Payment, change: RefundChange) -> RefundApplied | Ignored:
    """Move a refund along an allowed edge, and its payment's counts with it, or say why not."""
    if change.status == refund.status:
        return Ignored(f"already {refund.status}")
    if change.status not in TRANSITIONS[refund.status]:
        return Ignored(f"no edge from {refund.status} to {change.status}")
    line = RefundTransition(
        refund.sequence + 1, change.status, change.at, change.cause, change.note
    )
    is_over = not TRANSITIONS[change.status]
    moved = replace(
        refund,
        history=(*refund.history, line),
        failure=change.failure,
        gateway_reference=change.gateway_reference or refund.gateway_reference,
        processed_at=change.at if is_over else None,
        attention=None,
        attention_reason=None,
        attention_at=None,
        due_at=None,
    )
    return RefundApplied(moved, _counted(payment, refund.amount.minor, change.status))


def _counted(payment: Payment, minor: int, status: RefundStatus) -> Payment:
    if status == RefundStatus.COMPLETED:
        return replace(payment, refunded_minor=payment.refunded_minor + minor)
    if status == RefundStatus.FAILED:
        return replace(payment, reserved_minor=payment.reserved_minor - minor)
    return payment
