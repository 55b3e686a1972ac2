"""Dead letters: look at them without taking them, say why each is there, send them back.

Looking counts as a receive, as SQS has no other way to read; a message that was looked at is
visible again at once. What a dead letter means differs by queue:

    payments      a gateway step that failed at every receive; the reason is on the payment
    webhooks      a delivery that is out of attempts; the reason is its last attempt
    outbox-relay  a batch of stream records that the relay gave up on: positions, never the data
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.payment import Payment
from riel.errors import MalformedMessageError
from riel.services.deliver_webhook import Webhook
from riel.services.relay_events import relay_records
from riel.services.replay_outbox import replay_outbox
from riel.store.deliveries import Attempt
from riel.store.items import decode
from riel.store.outbox import read_event
from riel.store.outbox_stream import Positions, Record, read_stream
from riel.store.queues import Queue, Received

if TYPE_CHECKING:
    from riel.app import App

PAYMENTS, WEBHOOKS, OUTBOX_RELAY = "payments", "webhooks", "outbox-relay"
MAX_MESSAGES = 10_000
HOLD_SECONDS = 30
"""How long a message is hidden from others while it is looked at."""
BEFORE_ARRIVAL, AFTER_ARRIVAL = timedelta(seconds=15), timedelta(seconds=5)
"""Around a stream record's arrival, which AWS tells in whole seconds, its event was written."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """One dead-letter queue by its short name. `wait_seconds`: see `Queue.receive`."""

    name: str
    queue: Queue
    wait_seconds: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, explained. A relay's letter can stand for several payments, or for none."""

    queue: str
    message_id: str
    sent_at: datetime
    receives: int
    body: str
    reason: str
    payment_ids: tuple[str, ...] = ()
    payment: Payment | None = None


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


def list_dead_letters(app: App, source: DeadLetterQueue, limit: int = 500) -> list[DeadLetter]:
    """Look at up to `limit` dead letters of a queue and explain each, the oldest first."""
    held: dict[str, Received] = {}
    try:
        for message in _receive(source, held, limit):
            held[message.message_id] = message
    finally:
        _give_back(source, held)
    messages = sorted(held.values(), key=_sent_at)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda message: _explain(app, source.name, message), messages))


def redrive(
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
        for message in _receive(source, held, MAX_MESSAGES, pause=1 / order.rate):
            held[message.message_id] = message
            if _redrive_one(app, source, order, message, seen, done):
                del held[message.message_id]
            on_progress(done)
    finally:
        _give_back(source, held)
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
    if app.clock() - _sent_at(message) < order.older_than:
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
    if problem := _SEND_BACK[source.name](app, message.body):
        done.left.append((message.message_id, problem))
        return False
    source.queue.delete(message.receipt)
    done.sent += 1
    return True


def _receive(
    source: DeadLetterQueue, held: Mapping[str, Received], limit: int, pause: float = 0.0
) -> Iterator[Received]:
    """Yield each visible message once; ends when nothing new comes."""
    hold = HOLD_SECONDS + round(10 * pause)
    for _ in range(limit):
        batch = source.queue.receive(hold, wait_seconds=source.wait_seconds)
        fresh = [message for message in batch if message.message_id not in held]
        yield from fresh
        if not fresh or len(held) >= limit:
            return


def _give_back(source: DeadLetterQueue, held: Mapping[str, Received]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda message: source.queue.give_back(message.receipt, 0), held.values()))


def _sent_at(message: Received) -> datetime:
    return datetime.fromtimestamp(int(message.attributes["SentTimestamp"]) / 1000, UTC)


def _subject(message: Received) -> str:
    """What a letter is about: a second one about the same is a repeat."""
    try:
        fields = _object(message.body)
    except MalformedMessageError:
        return message.message_id
    return str(fields.get("event_id") or fields.get("payment_id") or message.message_id)


def _object(body: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise MalformedMessageError("the message is not JSON") from error
    if not isinstance(fields, dict):
        raise MalformedMessageError("the message is not a JSON object")
    return fields


# Why it is there ---------------------------------------------------------------------------


def _explain(app: App, queue: str, message: Received) -> DeadLetter:
    letter = DeadLetter(
        queue=queue,
        message_id=message.message_id,
        sent_at=_sent_at(message),
        receives=int(message.attributes.get("ApproximateReceiveCount", "0")),
        body=message.body,
        reason="",
    )
    try:
        return _EXPLAIN[queue](app, letter)
    except MalformedMessageError as error:
        return replace(letter, reason=f"{error.code}: {error}")


def _explain_payment(app: App, letter: DeadLetter) -> DeadLetter:
    payment_id = str(_object(letter.body).get("payment_id") or "")
    if not payment_id:
        raise MalformedMessageError("the message names no payment")
    payment = app.payments.get(payment_id)
    return replace(
        letter, payment_ids=(payment_id,), payment=payment, reason=_payment_reason(payment)
    )


def _payment_reason(payment: Payment | None) -> str:
    if payment is None:
        return "the payment does not exist"
    if payment.is_final:
        return f"nothing is left to do: the payment is {payment.status}"
    if payment.attention_reason or payment.attention:
        return payment.attention_reason or str(payment.attention)
    return "its workers ended without a word: a crash, a time-out, or it is being worked on"


def _explain_webhook(app: App, letter: DeadLetter) -> DeadLetter:
    webhook = Webhook.read(_object(letter.body))
    delivery = app.deliveries.get(webhook.payment_id, webhook.event_id)
    reason = _delivery_reason(delivery.attempts) if delivery else "no attempt was recorded"
    return replace(
        letter,
        payment_ids=(webhook.payment_id,),
        payment=app.payments.get(webhook.payment_id),
        reason=f"{reason} ({webhook.type} to {webhook.url})",
    )


def _delivery_reason(attempts: tuple[Attempt, ...]) -> str:
    last = attempts[-1]
    answer = f"HTTP {last.status}" if last.status else last.error
    times = "once" if len(attempts) == 1 else f"{len(attempts)} times"
    return f"{answer}, tried {times}"


def _explain_records(app: App, letter: DeadLetter) -> DeadLetter:
    notice = _object(letter.body)
    records = _stream_records(app, notice)
    problems = [problem for record in records if (problem := _record_problem(record))]
    found = (decode(i["payment_id"]) for i in map(_image, records) if "payment_id" in i)
    context = notice.get("requestContext", {})
    condition = str(context.get("condition", "unknown condition"))
    size = notice.get("DDBStreamBatchInfo", {}).get("batchSize", len(records))
    told = "; ".join(problems) or f"{size} stream record(s)"
    payment_ids = tuple(dict.fromkeys(str(payment_id) for payment_id in found))
    payment = app.payments.get(payment_ids[0]) if len(payment_ids) == 1 else None
    return replace(letter, payment_ids=payment_ids, payment=payment, reason=f"{condition}: {told}")


def _record_problem(record: Record) -> str:
    image = _image(record)
    if record.get("eventName") != "INSERT":
        return ""
    try:
        read_event(image)
    except MalformedMessageError as error:
        return f"{_key(record)}: {error}"
    return ""


def _image(record: Record) -> Mapping[str, Any]:
    image: Mapping[str, Any] = record["dynamodb"].get("NewImage", {})
    return image


def _key(record: Record) -> str:
    return " ".join(str(decode(value)) for value in record["dynamodb"]["Keys"].values())


def _stream_records(app: App, notice: Mapping[str, Any]) -> list[Record]:
    try:
        info = notice["DDBStreamBatchInfo"]
        positions = Positions(
            stream_arn=info["streamArn"],
            shard_id=info["shardId"],
            first=info["startSequenceNumber"],
            last=info["endSequenceNumber"],
        )
    except (KeyError, TypeError) as error:
        raise MalformedMessageError(f"the message is no failure record: {error!r}") from error
    return read_stream(app.client("dynamodbstreams"), positions)


# Sending back ------------------------------------------------------------------------------


def _send_payment(app: App, body: str) -> str:
    try:
        fields = _object(body)
    except MalformedMessageError as error:
        return str(error)
    app.payments_queue.send(fields)
    return ""


def _send_webhook(app: App, body: str) -> str:
    """Start a new run of the schedule, counted on from the attempts that were recorded."""
    try:
        webhook = Webhook.read(_object(body))
    except MalformedMessageError as error:
        return str(error)
    delivery = app.deliveries.get(webhook.payment_id, webhook.event_id)
    base = len(delivery.attempts) if delivery else 0
    app.webhooks_queue.send(asdict(replace(webhook, base=base, attempt=base + 1)))
    return ""


def _publish_records(app: App, body: str) -> str:
    try:
        notice = _object(body)
        records = _stream_records(app, notice)
        if not records:
            return _publish_range(app, notice)
    except MalformedMessageError as error:
        return str(error)
    failed = set(relay_records(app, records))
    still = [r for r in records if r["dynamodb"]["SequenceNumber"] in failed]
    return "; ".join(_record_problem(record) or f"{_key(record)}: not taken" for record in still)


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


_EXPLAIN: dict[str, Callable[[App, DeadLetter], DeadLetter]] = {
    PAYMENTS: _explain_payment,
    WEBHOOKS: _explain_webhook,
    OUTBOX_RELAY: _explain_records,
}
_SEND_BACK: dict[str, Callable[[App, str], str]] = {
    PAYMENTS: _send_payment,
    WEBHOOKS: _send_webhook,
    OUTBOX_RELAY: _publish_records,
}
