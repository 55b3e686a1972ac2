"""Accept a refund: once per merchant, mode, payment and idempotency key, for ever.

The refund's item is the permanent guard: its id is derived from the key, so a repeat finds it when
the stored answer has long expired. What can be refunded is counted in the payment, and reserved in
the transaction that writes the refund, so two refunds at once can not take the same money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.events import refund_created
from riel.domain.instants import to_text
from riel.domain.money import AmountError, Money, parse_amount
from riel.domain.payment import Ignored, Payment
from riel.domain.refund import (
    Refund,
    RefundStatus,
    RefundTransition,
    refundable_minor,
    reserve,
    why_not_refundable,
)
from riel.errors import (
    ConflictError,
    FieldProblem,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    InvalidStateError,
    NotFoundError,
    RefundExceedsAvailableError,
    StoreUnavailableError,
)
from riel.observability import count, logger
from riel.services.allowed_actions import gateway_refunds, refusal
from riel.services.fingerprint import fingerprint
from riel.services.read_payment import read_payment
from riel.store.merchants import Caller
from riel.store.refunds import Reserved

if TYPE_CHECKING:
    from riel.app import App

MAX_ROUNDS = 5
"""Each lost round is another refund of this payment that was written; more at once is a fault."""
LATE_REASON = "The payment was canceled, so what came for it goes back."
_LATE_FINGERPRINT = "late-payment"
_FIELDS = ("refund_id", "payment_id", "amount", "currency", "status", "reason", "created_at")
"""In the order of the answer, which what keeps it does not keep."""
_REFUSALS = {error.code: error for error in (InvalidStateError, RefundExceedsAvailableError)}


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What a merchant asks for; without an amount, all that is left. `sent` names its fields."""

    amount: str | None = None
    reason: str = ""
    sent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RefundAcceptance:
    """The answer, or with `refusal` why there is no refund.

    `request_id` is that of the request which was answered first; a repeat shows it again.
    """

    answer: Mapping[str, Any]
    request_id: str
    refusal: ConflictError | None
    is_replay: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """A refund that is asked for, before it is known what can be refunded."""

    refund_id: str
    fingerprint: str
    amount: Money | None
    reason: str
    cause: str
    traceparent: str


def create_refund(
    app: App,
    caller: Caller,
    key: str,
    payment_id: str,
    order: RefundOrder,
    request_id: str,
    traceparent: str = "",
) -> RefundAcceptance:
    """Reserve the amount and write the refund, or find the one that this key has made before.

    Raises NotFoundError (also for foreign ids), InvalidRequestError, IdempotencyKeyReusedError,
    IdempotencyKeyInUseError, StoreUnavailableError.
    """
    payment = read_payment(app, caller, payment_id)
    draft = _draft(caller, key, payment, order, traceparent)

    def work() -> dict[str, Any]:
        return {**_create(app, payment, draft), "request_id": request_id}

    kept, is_repeat = app.stored_answers.answer(draft.refund_id, draft.fingerprint, work)
    answer = kept.get("answer", {})
    return RefundAcceptance(
        answer={name: answer[name] for name in _FIELDS if answer},
        request_id=kept["request_id"],
        refusal=_REFUSALS[kept["code"]](kept["refusal"]) if "code" in kept else None,
        is_replay=is_repeat or kept.get("was_there", False),
    )


def refund_late_payment(app: App, payment: Payment) -> None:
    """Give back what came for a canceled payment, once for each sum, however often it is asked.

    Where the gateway can not refund the method, nothing happens and the payment keeps its
    attention. One that the PSP refused is not tried again: the merchant can refund it. Raises
    StoreUnavailableError.
    """
    draft = _Draft(
        refund_id=ids.late_refund_id(payment.payment_id, payment.received_minor),
        fingerprint=_LATE_FINGERPRINT,
        amount=None,
        reason=LATE_REASON,
        cause="late_payment",
        traceparent=payment.traceparent,
    )
    done = _create(app, payment, draft)
    extra = {"payment_id": payment.payment_id, "refusal": done.get("refusal")}
    told = "late money stays" if "refusal" in done else "late money goes back"
    logger.info(told, extra=extra)


def _draft(
    caller: Caller, key: str, payment: Payment, order: RefundOrder, traceparent: str
) -> _Draft:
    amount = _amount(order.amount, payment.amount.currency)
    fields = {"amount": str(amount), "reason": order.reason}
    return _Draft(
        refund_id=ids.refund_id(caller.merchant_id, caller.livemode, payment.payment_id, key),
        fingerprint=fingerprint({name: fields[name] for name in order.sent}),
        amount=amount,
        reason=order.reason,
        cause="created",
        traceparent=traceparent,
    )


def _amount(text: str | None, currency: str) -> Money | None:
    try:
        return None if text is None else parse_amount(text, currency)
    except AmountError as error:
        raise InvalidRequestError((FieldProblem("amount", error.code, str(error)),)) from error


def _create(app: App, payment: Payment, draft: _Draft) -> dict[str, Any]:
    """Return the answer, or a refusal with its code; each round looks at the payment anew."""
    for _ in range(MAX_ROUNDS):
        amount = draft.amount or Money(refundable_minor(payment), payment.amount.currency)
        after = _reserved(payment, amount)
        if isinstance(after, Payment):
            refund = _refund(app, payment, draft, amount)
            event = refund_created(ids.event_id(refund.refund_id, refund.sequence), after, refund)
            if app.refunds.create(payment, after, refund, event) is Reserved.WRITTEN:
                return _accepted(refund)
        # Before any refusal: what this key has made may be the reason why nothing is left.
        found = app.refunds.get(payment.payment_id, draft.refund_id)
        if found is not None:
            return _repeated(found, draft)
        if isinstance(after, ConflictError):
            return {"code": after.code, "refusal": str(after)}
        payment = _again(app, payment)
    raise StoreUnavailableError("the payment is contended")


def _reserved(payment: Payment, amount: Money) -> Payment | ConflictError:
    """Return the payment with the amount taken of what can be refunded, or why not."""
    why = why_not_refundable(payment)
    if not why and not gateway_refunds(payment):
        why = f"{payment.gateway} does not refund {payment.method} payments"
    if why:
        return InvalidStateError(refusal(payment, why))
    after = reserve(payment, amount)
    return RefundExceedsAvailableError(after.reason) if isinstance(after, Ignored) else after


def _refund(app: App, payment: Payment, draft: _Draft, amount: Money) -> Refund:
    return Refund(
        refund_id=draft.refund_id,
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=amount,
        fingerprint=draft.fingerprint,
        gateway=payment.gateway,
        history=(RefundTransition(1, RefundStatus.PENDING, app.clock(), draft.cause),),
        reason=draft.reason,
        traceparent=draft.traceparent,
    )


def _accepted(refund: Refund) -> dict[str, Any]:
    count("RefundAccepted")
    extra = {"payment_id": refund.payment_id, "refund_id": refund.refund_id}
    logger.info("refund accepted", extra=extra)
    return {"answer": _worded(refund)}


def _repeated(refund: Refund, draft: _Draft) -> dict[str, Any]:
    if refund.fingerprint != draft.fingerprint:
        raise IdempotencyKeyReusedError("this Idempotency-Key was used with another body")
    return {"answer": _worded(refund), "was_there": True}


def _worded(refund: Refund) -> dict[str, Any]:
    """Word the answer; it must come out the same from the stored refund for ever."""
    return {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "amount": str(refund.amount),
        "currency": refund.amount.currency,
        "status": str(RefundStatus.PENDING),
        "reason": refund.reason,
        "created_at": to_text(refund.created_at),
    }


def _again(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    if found is None:
        raise NotFoundError("no such payment")
    return found
