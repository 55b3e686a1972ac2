"""The gateway step of a refund: claim, ask, record, with the doubt of a payment's step."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.attention import contradict
from riel.domain.events import refund_moved
from riel.domain.instants import epoch_milliseconds
from riel.domain.payment import Failure, Ignored, Payment
from riel.domain.refund import (
    Refund,
    RefundApplied,
    RefundChange,
    RefundStatus,
    apply_refund,
)
from riel.errors import (
    BrokenError,
    GatewayUnavailableError,
    LeaseLostError,
    MethodUnavailableError,
    StoreUnavailableError,
)
from riel.gateways.base import Gateway, NotFound, RefundDeclined, RefundOutcome
from riel.gateways.registry import find
from riel.observability import count, logger
from riel.services.charging import refund_request
from riel.services.deferral import defer, held, postponed, wait_for_look_up
from riel.services.doubt import OUTCOME_UNKNOWN, Early, GiveUp, Wait, as_scheduled, is_used_up
from riel.services.gateway_step import (
    Answered,
    Broken,
    Errand,
    Unavailable,
    after_answer,
    after_failure,
    look,
    run,
)
from riel.services.mismatch import REFERENCE_MISMATCH, Contradiction, amount_mismatch
from riel.services.steps import RefundStep
from riel.store.claims import Held
from riel.store.refunds import ClaimedRefund

if TYPE_CHECKING:
    from riel.app import App

__all__ = ["RefundStep", "process_refund"]


def process_refund(app: App, step: RefundStep, receives: int) -> str:
    """Take one refund through its gateway step; return what was done, for the log.

    Returning means that the message is done with, or waits as a delayed copy or in the index of
    what is due. Raises GiveBackError while another worker has the refund, and whatever went wrong
    otherwise, with the claim given back.
    """
    try:
        return _step(app, step, receives)
    except StoreUnavailableError as error:
        return f"{defer(app, step, step.gateway)}: {error}"


def _step(app: App, step: RefundStep, receives: int) -> str:
    if step.gateway and not step.look:
        seconds = app.breakers.of(step.gateway).seconds_shut(app.clock())
        if seconds:
            return f"{defer(app, step, step.gateway, seconds)}: the breaker is open"
    now = app.clock()
    lease = timedelta(seconds=app.config.lease_seconds)
    match app.refunds.claim(step.payment_id, step.refund_id, now, lease):
        case Held(seconds):
            return held(app, step, seconds, receives)
        case ClaimedRefund(refund):
            return _claimed(app, step, refund, now + lease, receives)
        case refused:
            return _settle(app, step, refused.refund)


def _claimed(app: App, step: RefundStep, refund: Refund, until: datetime, receives: int) -> str:
    try:
        errand = _errand(app, _payment(app, refund), refund, until)
        return _ask(app, step, refund, errand, receives)
    except MethodUnavailableError as error:
        app.refunds.release(after_failure(app, Broken(refund, error), receives))
        raise
    except StoreUnavailableError:
        # The refund may be made and is not written: see process_payment.
        now_ms = epoch_milliseconds(app.clock())
        app.refunds.release(replace(refund, quiet_since_ms=now_ms), held_until=until)
        raise


def _ask(
    app: App,
    step: RefundStep,
    refund: Refund,
    errand: Errand[Refund, RefundOutcome],
    receives: int,
) -> str:
    match run(app, errand):
        case Answered(outcome):
            return _written(app, refund, outcome, receives)
        case GiveUp(cause):
            return _record(app, refund, RefundChange(RefundStatus.IN_REVIEW, app.clock(), cause))
        case Wait() as wait:
            done = wait_for_look_up(app, step, refund.gateway, wait)
            app.refunds.release(wait.item)
            return done
        case Early():
            app.refunds.release(as_scheduled(refund))
            return "nothing to do yet"
        case Unavailable() as unavailable:
            return _unavailable(app, step, refund, unavailable)
        case Broken() as broken:
            app.refunds.release(after_failure(app, broken, receives))
            raise broken.error


def _written(app: App, refund: Refund, outcome: RefundOutcome, receives: int) -> str:
    try:
        return _record(app, refund, _change(refund, outcome, app.clock()))
    except (StoreUnavailableError, LeaseLostError):
        raise
    except Exception as error:
        app.refunds.release(after_answer(app, refund, error, receives))
        raise


def _payment(app: App, refund: Refund) -> Payment:
    payment = app.payments.get(refund.payment_id)
    if payment is None:
        raise BrokenError(f"{refund.refund_id}: its payment is absent")
    return payment


def _errand(
    app: App, payment: Payment, refund: Refund, until: datetime
) -> Errand[Refund, RefundOutcome]:
    gateway = find(app.gateways, refund.gateway)
    request = refund_request(app.config.events_base_url, payment, refund)
    return Errand(
        refund,
        until,
        gateway,
        look_up=lambda: gateway.look_up_refund(request.key),
        send=lambda: gateway.refund(request),
    )


def _change(refund: Refund, outcome: RefundOutcome, now: datetime) -> RefundChange:
    told = _mismatch(refund, outcome)
    if told:
        return RefundChange(RefundStatus.IN_REVIEW, now, told.cause, note=told.reason)
    if isinstance(outcome, RefundDeclined):
        failure = Failure(outcome.code, outcome.message)
        return RefundChange(RefundStatus.FAILED, now, "gateway_declined", failure)
    reference = outcome.reference
    return RefundChange(
        RefundStatus.COMPLETED, now, "gateway_refunded", gateway_reference=reference
    )


def _mismatch(refund: Refund, outcome: RefundOutcome) -> Contradiction | None:
    if outcome.refund_id != refund.refund_id:
        return Contradiction(REFERENCE_MISMATCH, f"the PSP speaks of {outcome.refund_id!r:.60}")
    if outcome.amount != refund.amount:
        return amount_mismatch(refund.amount, outcome.amount)
    return None


def _record(app: App, before: Refund, change: RefundChange) -> str:
    payment = _payment(app, before)
    applied = apply_refund(before, payment, change)
    if not isinstance(applied, RefundApplied):
        raise BrokenError(f"{before.refund_id}: {applied.reason}")
    after = applied.refund
    event = None
    if after.is_final:
        event_id = ids.event_id(after.refund_id, after.sequence)
        event = refund_moved(event_id, applied.payment, after)
    app.refunds.record(before, after, event)
    if after.status == RefundStatus.IN_REVIEW:
        about = {"refund_id": after.refund_id, "gateway": after.gateway}
        logger.error("the refund waits for a person", extra={**about, "cause": change.cause})
    count("Refund" + after.status.title().replace("_", ""))
    return str(after.status)


def _unavailable(app: App, step: RefundStep, refund: Refund, why: Unavailable) -> str:
    if refund.due_at is not None:
        if is_used_up(refund, app.config.look_up_seconds, app.clock()):
            change = RefundChange(RefundStatus.IN_REVIEW, app.clock(), OUTCOME_UNKNOWN)
            return _record(app, refund, change)
        app.refunds.release(postponed(app, refund))
        return f"postponed: {why.reason}"
    done = defer(app, step, refund.gateway, why.seconds)
    app.refunds.release(replace(refund, attention=None, attention_reason=None))
    return f"{done}: {why.reason}"


def _settle(app: App, step: RefundStep, refund: Refund | None) -> str:
    if refund is None or not step.look:
        count("RefundStepSkipped")
        return f"nothing to do: {refund.status if refund else 'absent'}"
    try:
        outcome = _look_up(app, refund, find(app.gateways, refund.gateway))
    except GatewayUnavailableError as error:
        return f"{defer(app, step, refund.gateway)}: {error}"
    if isinstance(outcome, NotFound):
        return f"{refund.status}: nothing new"
    change = _change(refund, outcome, app.clock())
    if refund.is_final:
        return _told_after_the_end(app, refund, change)
    if change.status == refund.status:
        return f"{refund.status}: still contradicted"
    return _record(app, refund, change)


def _told_after_the_end(app: App, refund: Refund, change: RefundChange) -> str:
    """A refund's end is never changed; a PSP that says another one afterwards is told of."""
    said = f"outcome_changed: {refund.status}, and the PSP says {change.status}"
    if change.note:
        said = f"{change.cause}: {change.note}"
    after = contradict(refund, said, app.clock())
    if change.status == refund.status or isinstance(after, Ignored):
        return f"{refund.status}: nothing new"
    if not app.refunds.note(refund, after):
        raise StoreUnavailableError("the refund is contended")
    count("GatewayContradicted")
    about = {"refund_id": refund.refund_id, "payment_id": refund.payment_id}
    about |= {"gateway": refund.gateway, "reason": said}
    logger.error("the gateway contradicts us", extra=about)
    return f"{refund.status}: contradicted, the PSP says {change.status}"


def _look_up(app: App, refund: Refund, gateway: Gateway) -> RefundOutcome | NotFound:
    key = ids.refund_key(refund.refund_id, refund.gateway)
    return look(app, gateway, lambda: gateway.look_up_refund(key))
