"""A stored event of a PSP: find what it is about, look at the PSP, settle what the PSP then says.

The event is a reason to look and never the truth itself, so neither its order nor its repeats nor
its lies can matter.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.payment import Payment
from riel.errors import StoreUnavailableError
from riel.observability import count, logger
from riel.services.doubt import LONGEST_COPY_SECONDS
from riel.services.inbox_step import InboxStep
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


def process_gateway_event(app: App, step: InboxStep, receives: int) -> str:
    """Look into one event; return what was done, for the log.

    Returning means that the message is done with, or waits as a delayed copy. Raises what goes
    wrong otherwise, as UnmappedAnswerError; `receives` is told to the step of the payment.
    """
    try:
        return _process(app, step, receives)
    except GiveBackError as held:
        return _again(app, step, min(held.seconds, HELD_SECONDS), "held by another worker")
    except StoreUnavailableError as error:
        # Our own table's trouble is no fault of the event, so it must not use up receives.
        schedule = app.config.gateway_retry_seconds
        return _again(app, step, schedule[min(step.waits, len(schedule) - 1)], str(error))


def _process(app: App, step: InboxStep, receives: int) -> str:
    event = app.inbox.get(step.inbox_id)
    if event is None or event.state not in OPEN:
        return f"nothing to do: {event.state if event else 'absent'}"
    if not event.payment_id:
        app.inbox.settle(event, State.PROCESSED, "about no payment of ours")
        return f"{event.type}: about no payment of ours"
    payment = _payment_of(app, event)
    if payment is None:
        return _keep_unmatched(app, step, event)
    if (payment.gateway, payment.livemode) != (event.gateway, event.livemode):
        return _put_aside(app, event, payment)
    done = f"{event.type}: {_look(app, event, payment, receives)}"
    if not app.inbox.settle(event, State.PROCESSED, done[:MAX_DONE]):
        return "nothing to do: settled by another worker"
    count("GatewayEventProcessed")
    return done


def _payment_of(app: App, event: InboxEvent) -> Payment | None:
    """Find the payment that an event is about; the refund too, if it is about one."""
    if not ids.looks_like("pay", event.payment_id):
        return None
    payment = app.payments.get(event.payment_id)
    if payment is None or not event.refund_id:
        return payment
    return payment if app.refunds.get(event.payment_id, event.refund_id) else None


def _look(app: App, event: InboxEvent, payment: Payment, receives: int) -> str:
    trace, gateway = event.traceparent or payment.traceparent, payment.gateway
    if event.refund_id:
        of_refund = RefundStep(
            event.payment_id, event.refund_id, traceparent=trace, look=True, gateway=gateway
        )
        return process_refund(app, of_refund, receives)
    step = Step(event.payment_id, traceparent=trace, look=True, gateway=gateway)
    return process_payment(app, step, receives)


def _keep_unmatched(app: App, step: InboxStep, event: InboxEvent) -> str:
    """Wait for the payment: by a delayed copy, by the sweeper, and in the end for a person."""
    now = app.clock()
    due_at = _next_look(event.received_at, app.config.unmatched_event_seconds, now)
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


def _next_look(
    received_at: datetime, waits_seconds: tuple[int, ...], now: datetime
) -> datetime | None:
    """When to look next: a matter of the event's age, so that a repeat of it uses up no turn."""
    turns = (received_at + timedelta(seconds=age) for age in accumulate(waits_seconds))
    return next((turn for turn in turns if turn > now), None)


def _put_aside(app: App, event: InboxEvent, payment: Payment) -> str:
    count("GatewayEventForeign")
    logger.error(
        "an event is about another gateway's payment, or the other mode's",
        extra={"inbox_id": event.inbox_id, "payment_id": payment.payment_id},
    )
    app.inbox.settle(event, State.FOREIGN, f"the payment is {payment.gateway}'s")
    return "foreign: ignored"


def _again(app: App, step: InboxStep, seconds: int, reason: str) -> str:
    app.gateway_events_queue.send(replace(step, waits=step.waits + 1).body(), seconds)
    count("GatewayEventDeferred")
    return f"again in {seconds} s: {reason}"
