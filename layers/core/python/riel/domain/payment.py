"""The payment: what the merchant asked for, where it stands, and how it came there.

`TRANSITIONS` is the only table of allowed edges. `apply` is pure: it answers with the payment
after the change, or says why the change is ignored; it never raises for an expected disorder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from riel.domain.money import Money

if TYPE_CHECKING:
    from riel.domain.refund import Refund


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


class Attention(StrEnum):
    """Why a person should look at a payment whose status does not say so."""

    DEAD_LETTER = "dead_letter"
    CONTRADICTION = "contradiction"
    """The PSP says something that does not fit what we know; nothing was changed for it."""
    OVERPAID = "overpaid"
    UNDERPAID = "underpaid"
    """It ended with less than the amount received."""
    LATE_PAYMENT = "late_payment"
    """The money came after the payment had been given up."""


@dataclass(frozen=True, slots=True)
class NextAction:
    """What the payer has to do: `oxxo_voucher` by `reference`, `spei_transfer` to `clabe`."""

    type: str
    expires_at: datetime
    reference: str = ""
    clabe: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a payment's history. `sequence` starts at 1 and has no gaps.

    `note` is for operators only: who decided and why, or what the PSP said.
    """

    sequence: int
    status: Status
    at: datetime
    cause: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An operator has dealt with what needed attention (`what`, with its reason), and says why."""

    what: str
    who: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment with its whole history; the last line of the history is its status.

    `reserved_minor` is what refunds have taken of `received_minor`, pending ones included, and
    `refunded_minor` what went back. `declines` are the codes of soft declines, each of which ended
    one charge, `left_gateways` the gateways that it fell back from. `quiet_since_ms` is since when
    no earlier worker can have sent anything to the gateway, 0 when none ever has.
    `unknown_outcomes` counts lost answers, `look_ups` how often the PSP could not tell. Until
    `not_before_ms` a step that comes early (a repeat, a PSP's event) may look, but uses up nothing
    of the schedule. `due_at` is when the sweeper brings the payment back to the gateway step.
    `attention_at` is since when it needs attention, where that did not come with its last
    transition.
    """

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
    reserved_minor: int = 0
    refund_count: int = 0
    failure: Failure | None = None
    next_action: NextAction | None = None
    attention: str | None = None
    attention_reason: str | None = None
    attention_at: datetime | None = None
    acknowledged: tuple[Acknowledgement, ...] = ()
    gateway_reference: str | None = None
    cancellation_id: str | None = None
    declines: tuple[str, ...] = ()
    left_gateways: tuple[str, ...] = ()
    fence: int = 0
    quiet_since_ms: int = 0
    unknown_outcomes: int = 0
    look_ups: int = 0
    not_before_ms: int = 0
    due_at: datetime | None = None

    @property
    def charge_number(self) -> int:
        """Which charge this is: it grows only after a recorded, definite decline."""
        return 1 + len(self.declines)

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
    next_action: NextAction | None = None
    due_at: datetime | None = None
    attention: Attention | None = None


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
        attention=change.attention,
        attention_reason=None,
        attention_at=None,
        processed_at=change.at if change.status in FINAL else payment.processed_at,
        received_minor=_or(change.received_minor, payment.received_minor),
        gateway_reference=_or(change.gateway_reference, payment.gateway_reference),
        next_action=_or(change.next_action, payment.next_action),
        due_at=change.due_at,
    )
    return Applied(moved, transition)


def next_charge(payment: Payment, code: str) -> Payment:
    """End a charge by a soft decline: nothing of the next one has been sent yet."""
    return replace(
        payment,
        declines=(*payment.declines, code),
        quiet_since_ms=0,
        unknown_outcomes=0,
        look_ups=0,
    )


def waits_since(item: Payment | Refund) -> datetime | None:
    """Since when a person has to look at it; None for most, and for what the DLQ lists."""
    if item.status == Status.IN_REVIEW:
        return item.history[-1].at
    if item.attention in (None, Attention.DEAD_LETTER):
        return None
    return item.attention_at or item.history[-1].at


def waits_why(item: Payment | Refund) -> str:
    """Why a person has to look at it: `in_review`, or the attention."""
    return str(item.status if item.status == Status.IN_REVIEW else item.attention)


def _or(new: Any, old: Any) -> Any:
    return old if new is None else new
