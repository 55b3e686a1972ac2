"""Cancel a payment that no gateway has taken yet, or that nobody has paid yet.

It races the processor and the payer: one conditional write wins. A voucher that is out is voided
at the gateway afterwards; money that comes for it all the same goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.events import payment_moved
from riel.domain.payment import TRANSITIONS, Applied, Change, Payment, Status, apply
from riel.errors import NotFoundError, StoreUnavailableError
from riel.observability import count, logger
from riel.services.allowed_actions import refusal
from riel.services.read_payment import read_payment
from riel.store.items import from_fields
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

MAX_ROUNDS = 4
"""A payment moves a handful of times in its life, so losing more races than that is a fault."""
VOID_AFTER = timedelta(minutes=1)
_BODY_FINGERPRINT = "empty"
"""The body of a cancellation says nothing, so all of them are alike."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The answer: the payment's status, or with `refusal` why it is not canceled.

    `request_id` is that of the request which was answered first; a repeat shows it again.
    """

    payment_id: str
    status: str
    request_id: str
    refusal: str = ""
    is_replay: bool = False


def cancel_payment(
    app: App, caller: Caller, key: str, payment_id: str, request_id: str
) -> Cancellation:
    """Cancel, once per idempotency key; the race with a claim or a payer has one winner.

    Raises NotFoundError (also for foreign ids), IdempotencyKeyInUseError, StoreUnavailableError.
    """
    read_payment(app, caller, payment_id)
    cancellation_id = ids.cancellation_id(caller.merchant_id, caller.livemode, payment_id, key)

    def work() -> dict[str, Any]:
        return {**_cancel(app, payment_id, cancellation_id), "request_id": request_id}

    answer, is_replay = app.stored_answers.answer(cancellation_id, _BODY_FINGERPRINT, work)
    told = {**answer, "is_replay": is_replay or answer.get("is_replay", False)}
    return from_fields(Cancellation, told)


def _cancel(app: App, payment_id: str, cancellation_id: str) -> dict[str, Any]:
    for _ in range(MAX_ROUNDS):
        payment = app.payments.get(payment_id)
        if payment is None:
            raise NotFoundError("no such payment")
        answer = {"payment_id": payment_id, "status": str(payment.status)}
        if payment.cancellation_id == cancellation_id:
            # This key canceled it before, and the record of that has expired or was never written.
            return {**answer, "status": str(Status.CANCELED), "is_replay": True}
        applied = apply(payment, _change(payment, app.clock()))
        if not isinstance(applied, Applied):
            return {**answer, "refusal": _refusal(payment)}
        if _write(app, payment, applied, cancellation_id):
            return {**answer, "status": str(Status.CANCELED)}
    raise StoreUnavailableError("the payment is contended")


def _change(payment: Payment, now: datetime) -> Change:
    is_out = payment.status == Status.AWAITING_PAYMENT
    # The event leads to the voucher's end at the PSP; should it get lost, the sweeper does.
    due_at = now + VOID_AFTER if is_out else None
    return Change(Status.CANCELED, now, "canceled_by_merchant", due_at=due_at)


def _write(app: App, before: Payment, applied: Applied, cancellation_id: str) -> bool:
    after = replace(applied.payment, cancellation_id=cancellation_id)
    event = payment_moved(ids.event_id(after.payment_id, after.sequence), after)
    is_written = app.payments.move(before, after, event)
    if is_written:
        count("PaymentCanceled")
        logger.info("payment canceled", extra={"payment_id": after.payment_id})
    return is_written


def _refusal(payment: Payment) -> str:
    places = [str(s) for s, targets in TRANSITIONS.items() if Status.CANCELED in targets]
    can = f"it can be canceled while it is {' or '.join(places)}"
    return refusal(payment, f"the payment is {payment.status}; {can}")
