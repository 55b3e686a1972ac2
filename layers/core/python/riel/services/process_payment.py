"""The gateway step of a payment: claim, ask, record. At most one charge, whatever dies in between.

The PSP's idempotency key is derived from the payment, so every resend after doubt uses the same
key. Whatever may have been sent is looked up before anything is sent again. What a step does
depends on where the payment stands, so a message too many is harmless.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.events import payment_moved
from riel.domain.instants import epoch_milliseconds
from riel.domain.payment import Applied, Change, Payment, Status, apply, next_charge
from riel.errors import (
    BrokenError,
    GatewayUnavailableError,
    LeaseLostError,
    MethodUnavailableError,
    StoreUnavailableError,
    UnmappedAnswerError,
)
from riel.gateways.base import Declined, Outcome
from riel.gateways.registry import find
from riel.observability import count
from riel.services import charging, fallback
from riel.services.deferral import come_back, defer, held, postponed, wait_for_look_up
from riel.services.doubt import (
    LONGEST_COPY_SECONDS,
    OUTCOME_UNKNOWN,
    Early,
    GiveUp,
    Wait,
    as_scheduled,
    is_early,
    is_used_up,
    waiting,
)
from riel.services.gateway_step import (
    Answered,
    Broken,
    Errand,
    Unavailable,
    after_answer,
    after_failure,
    run,
)
from riel.services.mismatch import AMOUNT_MISMATCH, Contradiction
from riel.services.outcomes import judge
from riel.services.settle_payment import (
    contradicted,
    grace,
    is_open,
    look_into,
    refund_if_late,
)
from riel.services.steps import GiveBackError, Step
from riel.store.claims import Held
from riel.store.payments import Claimed

if TYPE_CHECKING:
    from riel.app import App

__all__ = ["GiveBackError", "Step", "process_payment"]


def process_payment(app: App, step: Step, receives: int) -> str:
    """Take one payment through its gateway step; return what was done, for the log.

    Returning means that the message is done with, or waits as a delayed copy or in the index of
    what is due. Raises GiveBackError while another worker has the payment, and whatever went wrong
    otherwise, with the claim given back.
    """
    try:
        return _step(app, step, receives)
    except StoreUnavailableError as error:
        # Our own table's trouble is no fault of the payment, so it must not use up receives.
        return f"{defer(app, step, step.gateway)}: {error}"


def _step(app: App, step: Step, receives: int) -> str:
    if step.gateway and not step.look and step.waits < app.config.fallback_after_waits:
        # Known before the claim, an open breaker saves its two writes. What the index brought gets
        # no copy here: it may be postponed there.
        seconds = app.breakers.of(step.gateway).seconds_shut(app.clock())
        if seconds:
            return f"{defer(app, step, step.gateway, seconds)}: the breaker is open"
    now = app.clock()
    lease = timedelta(seconds=app.config.lease_seconds)
    match app.payments.claim(step.payment_id, now, lease):
        case Held(seconds):
            return held(app, step, seconds, receives)
        case Claimed(payment):
            return _claimed(app, step, payment, now + lease, receives)
        case refused:
            return _settle(app, step, refused.payment, receives)


def _claimed(app: App, step: Step, payment: Payment, until: datetime, receives: int) -> str:
    if not payment.quiet_since_ms and is_early(payment, app.clock()):
        # It waits for its next charge after a soft decline.
        app.payments.release(payment)
        return "nothing to do yet"
    try:
        return _ask(app, step, payment, until, receives)
    except StoreUnavailableError:
        # A charge may be made and is not written: the next worker looks it up, and need not wait
        # for the lease. What failed may have been written all the same, and then counts.
        now_ms = epoch_milliseconds(app.clock())
        app.payments.release(replace(payment, quiet_since_ms=now_ms), held_until=until)
        raise


def _ask(app: App, step: Step, payment: Payment, until: datetime, receives: int) -> str:
    try:
        errand = _errand(app, payment, until)
    except MethodUnavailableError as error:
        app.payments.release(after_failure(app, Broken(payment, error), receives))
        raise
    match run(app, errand):
        case Answered(outcome):
            return _written(app, step, payment, outcome, receives)
        case GiveUp(cause):
            return _record(app, payment, Change(Status.IN_REVIEW, app.clock(), cause))
        case Wait() as wait:
            done = wait_for_look_up(app, step, payment.gateway, wait)
            app.payments.release(wait.item)
            return done
        case Early():
            app.payments.release(as_scheduled(payment))
            return "nothing to do yet"
        case Unavailable() as unavailable:
            return _unavailable(app, step, payment, unavailable)
        case Broken() as broken:
            app.payments.release(after_failure(app, broken, receives))
            raise broken.error


def _errand(app: App, payment: Payment, until: datetime) -> Errand[Payment, Outcome]:
    gateway = find(app.gateways, payment.gateway)
    request = charging.charge_request(app.config.events_base_url, payment)
    return Errand(
        payment,
        until,
        gateway,
        look_up=lambda: gateway.look_up(request.key),
        send=lambda: gateway.charge(request),
    )


def _written(app: App, step: Step, payment: Payment, outcome: Outcome, receives: int) -> str:
    try:
        return _answered(app, step, payment, outcome)
    except (StoreUnavailableError, LeaseLostError):
        raise
    except Exception as error:
        app.payments.release(after_answer(app, payment, error, receives))
        raise


def _answered(app: App, step: Step, payment: Payment, outcome: Outcome) -> str:
    verdict = judge(payment, outcome, app.clock(), grace(app))
    if isinstance(verdict, Contradiction):
        contradicted(payment, verdict)
        return _record(app, payment, _review(verdict, outcome, app.clock()))
    if not isinstance(verdict, Change):
        # A claimed payment is `processing`, and every answer moves it from there.
        raise BrokenError(f"{payment.payment_id}: {verdict}")
    if isinstance(outcome, Declined) and outcome.is_soft:
        retries = app.config.soft_decline_retry_seconds[len(payment.declines) :]
        if retries:
            return _try_later(app, step, payment, outcome, retries[0])
    _come_back_if_soon(app, step, payment, verdict)
    return _record(app, payment, verdict)


def _come_back_if_soon(app: App, step: Step, payment: Payment, change: Change) -> None:
    """Let a voucher that ends before the sweeper comes by be looked at by a delayed copy."""
    if change.due_at is None:
        return
    seconds = math.ceil((change.due_at - app.clock()).total_seconds())
    if seconds < LONGEST_COPY_SECONDS:
        come_back(app, step, payment.gateway, max(seconds, 0))


def _review(contradiction: Contradiction, outcome: Outcome, now: datetime) -> Change:
    reference = None
    if contradiction.cause == AMOUNT_MISMATCH and not isinstance(outcome, Declined):
        # A charge of ours with another amount is ours all the same; an alien one is not.
        reference = outcome.reference
    return Change(
        Status.IN_REVIEW,
        now,
        contradiction.cause,
        note=contradiction.reason,
        gateway_reference=reference,
    )


def _try_later(app: App, step: Step, payment: Payment, declined: Declined, seconds: int) -> str:
    """Record a soft decline, which ends one charge, and let the next one wait for its moment."""
    come_back(app, step, payment.gateway, seconds)
    app.payments.release(waiting(next_charge(payment, declined.code), seconds, app.clock()))
    count("PaymentSoftlyDeclined")
    return f"declined for now ({declined.code}), charged again in {seconds} s"


def _record(app: App, before: Payment, change: Change) -> str:
    applied = apply(before, change)
    if not isinstance(applied, Applied):
        raise BrokenError(f"{before.payment_id}: {applied.reason}")
    after = applied.payment
    event = payment_moved(ids.event_id(after.payment_id, after.sequence), after)
    app.payments.record(before, after, event)
    count("Payment" + after.status.title().replace("_", ""))
    return str(after.status)


def _unavailable(app: App, step: Step, payment: Payment, why: Unavailable) -> str:
    following = fallback.next_gateway(app, step, payment)
    if following is not None:
        return fallback.fall_back(app, step, payment, following)
    if payment.due_at is not None:
        if is_used_up(payment, app.config.look_up_seconds, app.clock()):
            # The PSP answers others and never this: waiting on would be waiting for ever.
            return _record(app, payment, Change(Status.IN_REVIEW, app.clock(), OUTCOME_UNKNOWN))
        app.payments.release(postponed(app, payment))
        return f"postponed: {why.reason}"
    done = defer(app, step, payment.gateway, why.seconds)
    app.payments.release(replace(payment, attention=None, attention_reason=None))
    return f"{done}: {why.reason}"


def _settle(app: App, step: Step, payment: Payment | None, receives: int) -> str:
    if payment is not None:
        refund_if_late(app, payment)
    if payment is None or not (step.look or is_open(payment)):
        count("PaymentStepSkipped")
        return f"nothing to do: {payment.status if payment else 'absent'}"
    try:
        return look_into(app, payment)
    except GatewayUnavailableError as error:
        if payment.due_at is None:
            return f"{defer(app, step, payment.gateway)}: {error}"
        app.payments.note(payment, postponed(app, payment))
        return f"postponed: {error}"
    except UnmappedAnswerError as error:
        # The sweeper must not bring back what waits for an operator.
        if payment.due_at is not None:
            app.payments.note(payment, after_failure(app, Broken(payment, error), receives))
        raise
