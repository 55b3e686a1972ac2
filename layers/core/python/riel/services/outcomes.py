"""What a PSP's answer means for a payment where it stands. Pure, and table-tested.

The PSP's own words are compared with the payment first. What differs is a contradiction: it leads
from `processing` to a review, and elsewhere changes nothing but is told of. What agrees moves the
payment along its edges, and where there is no edge it either fits the status or contradicts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from riel.domain.payment import Attention, Change, Failure, Payment, Status
from riel.gateways.base import Awaiting, Charged, Declined, NotFound, Outcome, Voided
from riel.services.mismatch import Contradiction, mismatch

VOUCHER_NOT_FOUND = "voucher_not_found"
VOUCHER_CLOSED = Failure("voucher_closed", "The voucher can not be paid any more.")
OVERDUE_LOOK = timedelta(hours=1)
"""Between looks at an overdue voucher about which the PSP contradicts us."""


@dataclass(frozen=True, slots=True)
class Noted:
    """No transition, but something to write: money that came, or when to look again."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The answer says nothing new."""


Verdict = Change | Noted | Contradiction | Unchanged


def judge(
    payment: Payment, outcome: Outcome | NotFound, now: datetime, grace: timedelta
) -> Verdict:
    """Say what an answer means. `grace` is how long after its expiry a voucher may be late.

    A soft decline counts as the end here; whether there is another try is for the caller.
    """
    if isinstance(outcome, NotFound):
        verdict = _not_found(payment)
    else:
        verdict = mismatch(payment, outcome) or _BY_STATUS[payment.status](payment, outcome, now)
    if isinstance(verdict, Change) and verdict.next_action is not None:
        # A voucher waits in the index from its first moment on.
        return replace(verdict, due_at=verdict.next_action.expires_at + grace)
    if payment.status == Status.CANCELED and isinstance(verdict, Unchanged):
        # Nobody can pay any more, so nothing is left to look at.
        return verdict if payment.due_at is None else Noted(replace(payment, due_at=None))
    return _in_time(payment, verdict, now, grace)


def _not_found(payment: Payment) -> Verdict:
    # Alone it moves nothing; of a voucher that the PSP gave us itself, it is news.
    if payment.status == Status.AWAITING_PAYMENT:
        return Contradiction(VOUCHER_NOT_FOUND, "the PSP does not know the voucher any more")
    return Unchanged()


def _claimed(payment: Payment, outcome: Outcome, now: datetime) -> Verdict:
    match outcome:
        case Charged():
            return _completed(payment, outcome, now, "gateway_charged")
        case Declined(code=code, message=message):
            return Change(Status.FAILED, now, "gateway_declined", failure=Failure(code, message))
        case Voided():
            return _voided(outcome, now)
        case Awaiting():
            return Change(
                Status.AWAITING_PAYMENT,
                now,
                "gateway_awaits_payer",
                received_minor=outcome.received.minor,
                gateway_reference=outcome.reference,
                next_action=outcome.next_action,
            )


def _voided(outcome: Voided, now: datetime) -> Change:
    if outcome.received.minor:
        # Money came, and neither is it enough nor will there be more: a person decides.
        return Change(
            Status.IN_REVIEW,
            now,
            "voided_underpaid",
            received_minor=outcome.received.minor,
            gateway_reference=outcome.reference,
        )
    return Change(Status.FAILED, now, "gateway_voided", failure=VOUCHER_CLOSED)


def _awaiting(payment: Payment, outcome: Outcome, now: datetime) -> Verdict:
    match outcome:
        case Charged():
            return _completed(payment, outcome, now, "gateway_charged")
        case Awaiting():
            return _received(payment, outcome, now, None)
        case Voided():
            return _expired(payment, outcome.received.minor, now, "gateway_voided")
        case Declined():
            return Contradiction("declined_late", f"declined a voucher: {outcome.code}")


def _in_review(payment: Payment, outcome: Outcome, now: datetime) -> Verdict:
    match outcome:
        case Awaiting():
            return Unchanged()
        case Voided(received=received) if received.minor:
            return Unchanged()
        case _:
            return _claimed(payment, outcome, now)


def _given_up(payment: Payment, outcome: Outcome, now: datetime) -> Verdict:
    match outcome:
        case Charged():
            late = Attention.LATE_PAYMENT
            return _completed(payment, outcome, now, "gateway_charged_late", late)
        case Declined():
            return Unchanged()
        case _ if outcome.received.minor and not (payment.attention or payment.acknowledged):
            # Too little, and it came before the end: nobody was told of it then.
            received = outcome.received.minor
            return Noted(
                replace(
                    payment,
                    received_minor=received,
                    attention=Attention.UNDERPAID,
                    attention_at=now,
                )
            )
        case _:
            return _received(payment, outcome, now, Attention.UNDERPAID)


def _completed_already(payment: Payment, outcome: Outcome, now: datetime) -> Verdict:
    if not isinstance(outcome, Charged):
        return _contrary(payment, outcome)
    return _received(payment, outcome, now, Attention.OVERPAID)


def _failed_already(payment: Payment, outcome: Outcome, _: datetime) -> Verdict:
    return _contrary(payment, outcome) if isinstance(outcome, Charged | Awaiting) else Unchanged()


def _contrary(payment: Payment, outcome: Outcome) -> Contradiction:
    said = type(outcome).__name__.lower()
    return Contradiction("outcome_changed", f"{payment.status}, and the PSP says {said}")


def _not_asked(payment: Payment, _: Outcome, __: datetime) -> Verdict:
    raise AssertionError(f"{payment.payment_id} is {payment.status}: no gateway was asked")


_BY_STATUS: dict[Status, Callable[[Payment, Outcome, datetime], Verdict]] = {
    Status.PENDING: _not_asked,
    Status.PROCESSING: _claimed,
    Status.AWAITING_PAYMENT: _awaiting,
    Status.IN_REVIEW: _in_review,
    Status.COMPLETED: _completed_already,
    Status.FAILED: _failed_already,
    Status.CANCELED: _given_up,
    Status.EXPIRED: _given_up,
}


def _completed(
    payment: Payment,
    outcome: Charged,
    now: datetime,
    cause: str,
    attention: Attention | None = None,
) -> Change:
    is_over = outcome.received.minor > payment.amount.minor
    return Change(
        Status.COMPLETED,
        now,
        cause,
        received_minor=outcome.received.minor,
        gateway_reference=outcome.reference,
        attention=attention or (Attention.OVERPAID if is_over else None),
    )


def _expired(payment: Payment, received: int, now: datetime, cause: str) -> Change:
    return Change(
        Status.EXPIRED,
        now,
        cause,
        received_minor=received,
        attention=Attention.UNDERPAID if received else None,
    )


def _received(
    payment: Payment, outcome: Charged | Awaiting | Voided, now: datetime, attention: str | None
) -> Verdict:
    """Note money that came without a transition."""
    received = outcome.received.minor
    if received <= payment.received_minor:
        return Unchanged()
    return Noted(
        replace(
            payment,
            received_minor=received,
            attention=attention,
            attention_reason=None,
            attention_at=now,
        )
    )


def _in_time(payment: Payment, verdict: Verdict, now: datetime, grace: timedelta) -> Verdict:
    """Let a voucher that is overdue expire, and set when one that is not is looked at again."""
    if payment.status != Status.AWAITING_PAYMENT or payment.next_action is None:
        return verdict
    due_at = payment.next_action.expires_at + grace
    if isinstance(verdict, Noted | Unchanged):
        noted = verdict.payment if isinstance(verdict, Noted) else payment
        if now >= due_at:
            return _expired(payment, noted.received_minor, now, "voucher_expired")
        kept = _waiting(noted, due_at)
        return verdict if kept == payment else Noted(kept)
    is_gone = isinstance(verdict, Contradiction) and verdict.cause == VOUCHER_NOT_FOUND
    if is_gone and now >= due_at:
        expired = _expired(payment, payment.received_minor, now, "voucher_expired")
        return replace(expired, attention=Attention.CONTRADICTION)
    return verdict


def _waiting(payment: Payment, due_at: datetime) -> Payment:
    """All is well with a voucher: it is looked at again when it expires."""
    return replace(payment, due_at=due_at, attention=None, attention_reason=None)


def next_overdue_look(payment: Payment, now: datetime, grace: timedelta) -> datetime | None:
    """When to look again at a payment about which the PSP contradicts us, if it must end."""
    if payment.status != Status.AWAITING_PAYMENT or payment.next_action is None:
        return None
    return max(payment.next_action.expires_at + grace, now + OVERDUE_LOOK)
