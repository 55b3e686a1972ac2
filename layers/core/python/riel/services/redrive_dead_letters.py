"""Send dead letters back to where they came from, at a rate, each at most once in a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.errors import MalformedMessageError, UnavailableError
from riel.services.dead_letters import (
    GATEWAY_EVENTS,
    OUTBOX_RELAY,
    PAYMENTS,
    WEBHOOKS,
    DeadLetterQueue,
    give_back,
    image_of,
    message_fields,
    receive_each,
    record_problem,
    sent_at_of,
    stream_records,
)
from riel.services.redeliver_webhook import redeliver
from riel.services.relay_events import publish
from riel.services.replay_outbox import replay_outbox
from riel.services.webhook_message import Webhook
from riel.store.deliveries import FAILED
from riel.store.outbox import read_event
from riel.store.queues import Received

if TYPE_CHECKING:
    from riel.app import App

MAX_MESSAGES = 10_000
"""How many letters one run looks at, whether it sends them back or leaves them."""
BEFORE_ARRIVAL, AFTER_ARRIVAL = timedelta(seconds=15), timedelta(seconds=5)
"""Around a stream record's arrival, which AWS tells in whole seconds, its event was written."""


@dataclass(frozen=True, slots=True)
class RedriveOrder:
    """How to send back: `rate` messages a second, and only what was sent longer ago than that."""

    dry_run: bool = False
    rate: float = 10.0
    older_than: timedelta = timedelta()


@dataclass(slots=True)
class Redriven:
    """What a redrive did. `again` are second letters of what was sent back in the same run."""

    sent: int = 0
    younger: int = 0
    again: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    """Message id and reason of each letter that can not be sent back."""

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to look at."""
        return not (self.sent or self.younger or self.again or self.left)


def redrive_dead_letters(
    app: App,
    source: DeadLetterQueue,
    order: RedriveOrder,
    on_progress: Callable[[Redriven], None] = lambda _done: None,
) -> Redriven:
    """Send dead letters back to where they came from, each at most once in a run.

    A message is deleted after it was sent, so a crash in between leaves it twice; every consumer
    absorbs a repeat. What another process takes meanwhile is that process's business.
    """
    done = Redriven()
    held: dict[str, Received] = {}
    seen: set[str] = set()
    try:
        for message in receive_each(source, held, MAX_MESSAGES, pause=1 / order.rate):
            if _redrive_one(app, source, order, message, seen, done):
                del held[message.message_id]
            on_progress(done)
    finally:
        give_back(source, held)
    return done


def _redrive_one(
    app: App,
    source: DeadLetterQueue,
    order: RedriveOrder,
    message: Received,
    seen: set[str],
    done: Redriven,
) -> bool:
    """Judge one message and act; True when it is gone from the dead-letter queue."""
    subject = _subject(message)
    # Without a limit no age counts: this machine's clock may be behind that of SQS.
    if order.older_than and app.clock() - sent_at_of(message) < order.older_than:
        done.younger += 1
        return False
    if subject in seen:
        # It has failed again already, or is a duplicate: another round would go on for ever.
        done.again += 1
        return False
    seen.add(subject)
    if order.dry_run:
        done.sent += 1
        return False
    if done.sent:
        time.sleep(1 / order.rate)
    if problem := send_back(app, source, message.body):
        done.left.append((message.message_id, problem))
        return False
    source.queue.delete(message.receipt)
    done.sent += 1
    return True


def send_back(app: App, source: DeadLetterQueue, body: str) -> str:
    """Send one letter's message to where it came from; return why not, or empty text."""
    return _SEND_BACK[source.kind](app, source, body)


def _subject(message: Received) -> str:
    """What a letter is about: a second one about the same is a repeat."""
    try:
        fields = message_fields(message.body)
    except MalformedMessageError:
        return message.message_id
    names = ("event_id", "inbox_id", "refund_id", "payment_id")
    return str(next(filter(None, map(fields.get, names)), message.message_id))


def _send_step(app: App, source: DeadLetterQueue, body: str) -> str:
    """Send a gateway step or an event as it is: what is left to do follows from its item."""
    try:
        message_fields(body)
    except MalformedMessageError as error:
        return str(error)
    is_event = source.kind == GATEWAY_EVENTS
    queue = app.gateway_events_queue if is_event else app.gateway_queue(source.gateway)
    queue.send_text(body)
    return ""


def _send_webhook(app: App, _source: DeadLetterQueue, body: str) -> str:
    """Start a new run of the schedule, or the first where none was recorded."""
    try:
        webhook = Webhook.read(message_fields(body))
        delivery = app.deliveries.get(webhook.payment_id, webhook.event_id)
        if delivery is None:
            webhook.new_delivery()
        elif delivery.state == FAILED:
            redeliver(app, delivery)
    except (MalformedMessageError, UnavailableError) as error:
        return str(error)
    if delivery is None:
        app.webhooks_queue.send(webhook.fields())
    return ""


def _publish_records(app: App, _source: DeadLetterQueue, body: str) -> str:
    try:
        notice = message_fields(body)
        records = stream_records(app, notice)
        if not records:
            return _publish_range(app, notice)
        problems, events = [], []
        for record in records:
            if problem := record_problem(record):
                problems.append(problem)
            elif record["eventName"] == "INSERT":
                events.append(read_event(image_of(record)))
        refused = publish(app, events)
    except MalformedMessageError as error:
        return str(error)
    if refused:
        problems.append(f"{refused} events were not taken by their queue")
    return "; ".join(problems)


def _publish_range(app: App, notice: Mapping[str, Any]) -> str:
    """The stream has forgotten the records; the outbox keeps them for 14 days."""
    info = notice["DDBStreamBatchInfo"]
    try:
        first = datetime.fromisoformat(info["approximateArrivalOfFirstRecord"])
        last = datetime.fromisoformat(info["approximateArrivalOfLastRecord"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedMessageError(f"the message is no failure record: {error!r}") from error
    done = replay_outbox(app, first - BEFORE_ARRIVAL, last + AFTER_ARRIVAL)
    if done.refused:
        return f"{done.refused} events were not taken by their queue"
    return "; ".join(f"{record.key}: {record.reason}" for record in done.unreadable)


_SEND_BACK: dict[str, Callable[[App, DeadLetterQueue, str], str]] = {
    PAYMENTS: _send_step,
    GATEWAY_EVENTS: _send_step,
    WEBHOOKS: _send_webhook,
    OUTBOX_RELAY: _publish_records,
}
