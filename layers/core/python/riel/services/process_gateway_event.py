"""A stored event of a PSP: find what it is about, look at the PSP, settle what the PSP then says.

The event is a reason to look and never the truth itself, so neither its order nor its repeats nor
its lies can matter.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.payment import Payment, Status
from riel.domain.refund import Refund
from riel.errors import GatewayUnavailableError, StoreUnavailableError
from riel.gateways.base import NotFound
from riel.ids import mode
from riel.observability import count, logger
from riel.services import left_gateway
from riel.services.doubt import LONGEST_COPY_SECONDS
from riel.services.event_turns import is_done_with, next_turn
from riel.services.gateway_step import reason_of
from riel.services.inbox_step import InboxStep
from riel.services.mismatch import Contradiction
from riel.services.process_payment import process_payment
from riel.services.process_refund import process_refund
from riel.services.steps import GiveBackError, RefundStep, Step
from riel.store.inbox import OPEN, InboxEvent, State

if TYPE_CHECKING:
    from riel.app import App

__all__ = ["InboxStep", "process_gateway_event"]

HELD_SECONDS = 5
"""A worker mostly has the payment because it hears the same from the PSP at this moment."""
OLD = timedelta(hours=1)
MAX_DONE = 300
FIRST_RECEIVE = 1
"""Told to the payment's step: this message is not its own, so its failure is no dead letter's."""
HARMLESS = frozenset({"ping", "test"})
"""Last words of the types by which PSPs try a webhook's address; they are about no money."""

Subject = Payment | Refund


def process_gateway_event(app: App, step: InboxStep, receives: int) -> str:
    """Look into one event; return what was done, for the log.

    Returning means that the message is done with, or waits as a delayed copy or in the index of
    what is due. Raises what goes wrong otherwise, as UnmappedAnswerError.
    """
    try:
        return _process(app, step, receives)
    except GiveBackError as held:
        return _again(app, step, min(held.seconds, HELD_SECONDS), "held by another worker")
    except (StoreUnavailableError, GatewayUnavailableError) as error:
        # Neither our own table's trouble nor the PSP's is a fault of the event, so it must not use
        # up receives.
        schedule = app.config.gateway_retry_seconds
        return _again(app, step, schedule[min(step.waits, len(schedule) - 1)], str(error))


def _process(app: App, step: InboxStep, receives: int) -> str:
    event = app.inbox.get(step.inbox_id)
    if event is None or event.state not in OPEN:
        return f"nothing to do: {event.state if event else 'absent'}"
    if receives < app.config.payments_max_receives:
        return _look_into(app, step, event)
    # By an error or a crash it would now become a dead letter, which only an operator sends back.
    app.inbox.leave(event, "")
    try:
        return _look_into(app, step, event)
    except (GiveBackError, StoreUnavailableError, GatewayUnavailableError):
        raise
    except Exception as error:
        app.inbox.leave(event, reason_of(error))
        raise


def _look_into(app: App, step: InboxStep, event: InboxEvent) -> str:
    if not event.payment_id:
        return _about_no_payment(app, event)
    found = _subject_of(app, event)
    if found is None:
        return _keep_unmatched(app, step, event)
    payment, subject = found
    has_left = event.gateway in payment.left_gateways and not event.refund_id
    if payment.livemode == event.livemode and has_left:
        return _look_back(app, step, event, payment)
    if (payment.gateway, payment.livemode) != (event.gateway, event.livemode):
        return _put_aside(app, event, payment)
    done = f"{event.type}: {_look(app, event, payment)}"
    turn = _turn_after_look(app, event, subject)
    return _wait(app, step, event, turn, done) if turn else _processed(app, event, done)


def _turn_after_look(app: App, event: InboxEvent, before: Subject) -> datetime | None:
    turn = _turn(app, event)
    if turn is None or before.status == Status.COMPLETED:
        return None
    found = _subject_of(app, event)
    return turn if found and not is_done_with(event, before, found[1], turn) else None


def _about_no_payment(app: App, event: InboxEvent) -> str:
    """Show it to a person, unless it is known to be harmless: no code can say what it means."""
    if re.split(r"[._]", event.type)[-1] in HARMLESS:
        return _processed(app, event, f"{event.type}: about no payment")
    if event.state is State.RECEIVED:
        count("GatewayEventUnmatched")
        count("GatewayEventUnmatchedOld")
        logger.error("an event names no payment", extra={"inbox_id": event.inbox_id})
    app.inbox.settle(event, State.UNMATCHED, "names no payment: waits for a person")
    return f"{event.type}: names no payment, waits for a person"


def _subject_of(app: App, event: InboxEvent) -> tuple[Payment, Subject] | None:
    """Find the payment that an event is about; the refund too, if it is about one."""
    if not ids.looks_like("pay", event.payment_id):
        return None
    payment = app.payments.get(event.payment_id)
    if payment is None:
        return None
    if not event.refund_id:
        return payment, payment
    refund = app.refunds.get(event.payment_id, event.refund_id)
    return (payment, refund) if refund else None


def _look(app: App, event: InboxEvent, payment: Payment) -> str:
    trace, gateway = event.traceparent or payment.traceparent, payment.gateway
    if event.refund_id:
        of_refund = RefundStep(
            event.payment_id, event.refund_id, traceparent=trace, look=True, gateway=gateway
        )
        return process_refund(app, of_refund, FIRST_RECEIVE)
    step = Step(event.payment_id, traceparent=trace, look=True, gateway=gateway)
    return process_payment(app, step, FIRST_RECEIVE)


def _look_back(app: App, step: InboxStep, event: InboxEvent, payment: Payment) -> str:
    turn = _turn(app, event)
    # What the payment's own steps write would wipe out what is told, so it is told again.
    later = turn or app.clock() + OLD
    if payment.status in (Status.PENDING, Status.PROCESSING):
        return _wait(app, step, event, later, f"{event.type}: the payment is under way elsewhere")
    found = left_gateway.look_back(app, payment, event.gateway)
    if isinstance(found, Contradiction):
        left_gateway.tell(app, payment, found)
        done = f"{event.type}: contradicted: {found.words}"
        if payment.is_final:
            return _processed(app, event, done)
        return _wait(app, step, event, later, done)
    done = f"{event.type}: nothing there"
    if turn is not None and isinstance(found, NotFound):
        return _wait(app, step, event, turn, done)
    return _processed(app, event, done)


def _processed(app: App, event: InboxEvent, done: str) -> str:
    if not app.inbox.settle(event, State.PROCESSED, done[:MAX_DONE]):
        return "nothing to do: settled by another worker"
    count("GatewayEventProcessed")
    return done


def _turn(app: App, event: InboxEvent) -> datetime | None:
    return next_turn(event, app.config.unmatched_event_seconds, app.clock())


def _wait(app: App, step: InboxStep, event: InboxEvent, at: datetime, done: str) -> str:
    """Look again at that time: by a delayed copy, or from a minute on by the sweeper."""
    seconds = math.ceil((at - app.clock()).total_seconds())
    if seconds >= LONGEST_COPY_SECONDS:
        app.inbox.wait(event, at, State.RECEIVED, done[:MAX_DONE])
        return f"{done}: due in {seconds} s"
    if event.state is not State.RECEIVED:
        app.inbox.wait(event, None, State.RECEIVED, done[:MAX_DONE])
    return _again(app, step, seconds, done)


def _keep_unmatched(app: App, step: InboxStep, event: InboxEvent) -> str:
    """Wait for the payment: by a delayed copy, by the sweeper, and in the end for a person."""
    now = app.clock()
    due_at = _turn(app, event)
    if event.state is State.RECEIVED:
        count("GatewayEventUnmatched")
    if due_at is None or now >= event.received_at + OLD:
        count("GatewayEventUnmatchedOld")
        logger.error("an event's payment is unknown", extra={"inbox_id": event.inbox_id})
    if due_at is None:
        app.inbox.settle(event, State.UNMATCHED, "waits for a person")
        return "unmatched: waits for a person"
    seconds = math.ceil((due_at - now).total_seconds())
    if seconds >= LONGEST_COPY_SECONDS:
        app.inbox.wait(event, due_at)
        return f"unmatched: due in {seconds} s"
    app.inbox.wait(event, None)
    return _again(app, step, seconds, "unmatched")


def _put_aside(app: App, event: InboxEvent, payment: Payment) -> str:
    count("GatewayEventForeign")
    logger.error(
        "an event is about another gateway's payment, or the other mode's",
        extra={"inbox_id": event.inbox_id, "payment_id": payment.payment_id},
    )
    if payment.gateway != event.gateway:
        why = f"the payment is {payment.gateway}'s"
    else:
        said, known = mode(event.livemode), mode(payment.livemode)
        why = f"the payment is in {known} mode, the event in {said} mode"
    app.inbox.settle(event, State.FOREIGN, why)
    return "foreign: ignored"


def _again(app: App, step: InboxStep, seconds: int, reason: str) -> str:
    app.gateway_events_queue.send(replace(step, waits=step.waits + 1).body(), seconds)
    count("GatewayEventDeferred")
    return f"again in {seconds} s: {reason}"
