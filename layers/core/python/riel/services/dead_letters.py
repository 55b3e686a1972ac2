"""Dead letters: what they are, and how to hold them without taking them.

Looking counts as a receive, as SQS has no other way to read; a message that was looked at is
visible again at once. What a dead letter means differs by queue:

    payments[-G]    a gateway step that failed at every receive, of a payment or of a refund; the
                    reason is on it. Gateways without a queue of their own share `payments`
    gateway-events  an event of a PSP that could not be looked into; the inbox has it
    webhooks        a delivery that is out of attempts; the reason is its last attempt
    outbox-relay    a batch of stream records that the relay gave up on: positions, never the data
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from riel import threads
from riel.domain.payment import Payment
from riel.errors import MalformedMessageError
from riel.store.items import decode
from riel.store.keys import INBOX_QUEUE
from riel.store.outbox import read_event
from riel.store.outbox_stream import Positions, Record, read_stream
from riel.store.queues import Queue, Received

if TYPE_CHECKING:
    from riel.app import App

PAYMENTS, WEBHOOKS, OUTBOX_RELAY = "payments", "webhooks", "outbox-relay"
GATEWAY_EVENTS = INBOX_QUEUE
HOLD_SECONDS = 30
"""How long a message is hidden from others while it is looked at."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """One dead-letter queue by its short name. `wait_seconds`: see `Queue.receive`."""

    name: str
    queue: Queue
    wait_seconds: int = 0

    @property
    def kind(self) -> str:
        """What its letters are: the payments queues of all gateways hold the same."""
        return PAYMENTS if self.gateway else self.name

    @property
    def gateway(self) -> str:
        """Whose payments queue it is; empty for the one that gateways share, and for any other."""
        prefix = f"{PAYMENTS}-"
        return self.name.removeprefix(prefix) if self.name.startswith(prefix) else ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, explained. A relay's letter can stand for several payments, or for none.

    `part` is the id of the refund or the delivery that it is about, of all that its payment has.
    """

    queue: str
    message_id: str
    sent_at: datetime
    receives: int
    body: str
    reason: str
    about: str = ""
    part: str = ""
    payment_ids: tuple[str, ...] = ()
    payment: Payment | None = None


def receive_each(
    source: DeadLetterQueue, held: MutableMapping[str, Received], limit: int, pause: float = 0.0
) -> Iterator[Received]:
    """Yield each visible message once, and note it in `held`; ends when nothing new comes.

    It yields `limit` messages at most, whichever of them the caller takes out of `held` again.
    `pause` is how many seconds the caller takes for each message.
    """
    hold = HOLD_SECONDS + round(10 * pause)
    left = limit
    while left > 0:
        batch = source.queue.receive(hold, limit=left, wait_seconds=source.wait_seconds)
        fresh = [message for message in batch if message.message_id not in held]
        if not fresh:
            return
        held.update({message.message_id: message for message in fresh})
        left -= len(fresh)
        yield from fresh


def give_back(source: DeadLetterQueue, held: Mapping[str, Received]) -> None:
    """Make messages visible again at once."""
    with threads.pool(8) as pool:
        list(pool.map(lambda message: source.queue.give_back(message.receipt, 0), held.values()))


def sent_at_of(message: Received) -> datetime:
    """When the message was sent, which its move to the dead-letter queue does not change."""
    return datetime.fromtimestamp(int(message.attributes["SentTimestamp"]) / 1000, UTC)


def message_fields(body: str) -> dict[str, Any]:
    """Read a message's body; raises MalformedMessageError."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise MalformedMessageError("the message is not JSON") from error
    if not isinstance(fields, dict):
        raise MalformedMessageError("the message is not a JSON object")
    return fields


def record_problem(record: Record) -> str:
    """Why the relay can not read a stream record, with its key; empty where it can."""
    image = image_of(record)
    if record.get("eventName") != "INSERT":
        return ""
    try:
        read_event(image)
    except MalformedMessageError as error:
        return f"{record_key(record)}: {error}"
    return ""


def image_of(record: Record) -> Mapping[str, Any]:
    """The item that a stream record tells of; empty for a deletion."""
    image: Mapping[str, Any] = record["dynamodb"].get("NewImage", {})
    return image


def record_key(record: Record) -> str:
    """Where a stream record's item is in the outbox."""
    return " ".join(str(decode(value)) for value in record["dynamodb"]["Keys"].values())


def stream_records(app: App, notice: Mapping[str, Any]) -> list[Record]:
    """Fetch the records that an on-failure notice points to; none once the stream forgot them.

    Raises MalformedMessageError for what is no such notice.
    """
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
