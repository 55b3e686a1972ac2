"""Deliveries: what was sent to a merchant's endpoint, and what it answered.

The item, not the message, says how far a delivery is. Each message is for one *turn* of its
delivery: whatever ends a turn (an attempt that was recorded, a redelivery that was asked for)
begins the next one in the same write, so a message that comes twice, late, or beside another finds
its turn over. What waits for its next turn stands in the index of what is due, so that no message
has to survive for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.instants import from_text, to_text
from riel.store import keys
from riel.store.batch_reads import read_many
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode, from_fields, from_item, update_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
OUT_OF_ATTEMPTS, GONE, ENDPOINT_STOPPED = "out_of_attempts", "gone", "endpoint_stopped"
"""Why a delivery failed, beside the errors after which there is nothing to try again."""
KEPT_ATTEMPTS = 30
"""The newest of them; two runs of the longest schedule."""
COPY_GRACE = timedelta(minutes=2)
"""How long after its time a delivery is due whose delayed copy should have come by itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: `status` is the HTTP status, or 0 where none came, and `error` says why.

    `answer` is the beginning of what the endpoint said.
    """

    at: str
    status: int
    latency_ms: int
    error: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    `event_at` is the event's time, by which the outbox has its body. `turn` counts from 1 over the
    delivery's life, `tries` the attempts of the present run of the schedule. `next_at` is when a
    pending delivery is tried again; `is_asked_for` tells that a person asked for the present run.
    """

    payment_id: str
    event_id: str
    merchant_id: str
    type: str
    url: str
    event_at: datetime
    traceparent: str = ""
    state: str = PENDING
    failure: str = ""
    turn: int = 1
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    attempt_count: int = 0
    next_at: datetime | None = None
    due_at: datetime | None = None
    is_asked_for: bool = False
    is_stored: bool = False

    @property
    def subject(self) -> tuple[str, ...]:
        """What its entry in the index of what is due, and its next message, are about."""
        return self.merchant_id, self.payment_id, self.event_id, str(self.turn)

    def after(self, attempt: Attempt) -> Delivery:
        """Return it with one more attempt, in its next turn."""
        return replace(
            self,
            attempts=(*self.attempts, attempt)[-KEPT_ATTEMPTS:],
            attempt_count=self.attempt_count + 1,
            tries=self.tries + 1,
            turn=self.turn + 1,
            next_at=None,
            due_at=None,
        )

    def given_up(self, failure: str) -> Delivery:
        """Return it failed, without one more attempt; its turn is over."""
        return replace(
            self, state=FAILED, failure=failure, turn=self.turn + 1, next_at=None, due_at=None
        )

    def beside(self, attempt: Attempt) -> Delivery:
        """Return it with an attempt that was overtaken: on record, and of no consequence."""
        tried = self.after(attempt)
        return replace(self, attempts=tried.attempts, attempt_count=tried.attempt_count)


class DeliveryStore:
    """Deliveries live beside their payment, in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, payment_id: str, event_id: str) -> Delivery | None:
        """Read one delivery, strongly consistent."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(payment_id, event_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return read_delivery(item) if item else None

    def of_payment(self, payment_id: str) -> list[Delivery]:
        """Read all deliveries of a payment (a handful), in the order of their events."""
        answer = call(
            self._dynamodb.query,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :delivery)",
            ExpressionAttributeValues={
                ":pk": {"S": payment_id},
                ":delivery": {"S": keys.delivery("")},
            },
            ConsistentRead=True,
        )
        return sorted((read_delivery(item) for item in answer["Items"]), key=lambda d: d.event_at)

    def of_events(self, wanted: Collection[tuple[str, str]]) -> dict[str, Delivery]:
        """Read deliveries by payment and event id, a hundred in a call; return them by event.

        Strongly consistent. What was never tried is left out.
        """
        items = [_key(*one) for one in wanted]
        found = read_many(self._dynamodb, self._table, items, is_consistent=True)
        return {delivery.event_id: delivery for delivery in map(read_delivery, found)}

    def save(self, before: Delivery, after: Delivery) -> bool:
        """Write a delivery; False when it was written since `before` was read.

        What only a later version knows stays, but for what it says of single attempts.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": _key(after.payment_id, after.event_id),
            **update_of(_write(after)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if before.is_stored:
            # An attempt that was overtaken is recorded without a turn.
            request["ConditionExpression"] = "turn = :read AND attempt_count = :seen"
            request["ExpressionAttributeValues"] |= {
                ":read": encode(before.turn),
                ":seen": encode(before.attempt_count),
            }
        try:
            call(self._dynamodb.update_item, **request)
        except ConditionFailedError:
            return False
        return True


def _key(payment_id: str, event_id: str) -> Item:
    return {"pk": {"S": payment_id}, "sk": {"S": keys.delivery(event_id)}}


def _write(delivery: Delivery) -> dict[str, Any]:
    due_pk, due_sk = (
        keys.webhook_due_key(delivery.due_at, *delivery.subject) if delivery.due_at else ("", "")
    )
    return {
        "merchant_id": delivery.merchant_id,
        "type": delivery.type,
        "url": delivery.url,
        "event_at": to_text(delivery.event_at),
        "traceparent": delivery.traceparent,
        "state": delivery.state,
        "failure": delivery.failure,
        "turn": delivery.turn,
        "tries": delivery.tries,
        "attempts": [
            {name: value for name, value in asdict(attempt).items() if value != ""}
            for attempt in delivery.attempts
        ],
        "attempt_count": delivery.attempt_count,
        "next_at": to_text(delivery.next_at) if delivery.next_at else "",
        "is_asked_for": delivery.is_asked_for,
        "due_pk": due_pk,
        "due_sk": due_sk,
    }


def read_delivery(item: Item) -> Delivery:
    """Read a delivery from its item."""
    fields = from_item(item)
    due_at = fields["due_sk"].partition("#")[0] if "due_sk" in fields else ""
    return Delivery(
        payment_id=fields["pk"],
        event_id=fields["sk"].removeprefix(keys.delivery("")),
        merchant_id=fields["merchant_id"],
        type=fields["type"],
        url=fields["url"],
        event_at=from_text(fields["event_at"]),
        traceparent=fields.get("traceparent", ""),
        state=fields["state"],
        failure=fields.get("failure", ""),
        turn=fields["turn"],
        tries=fields["tries"],
        attempts=tuple(from_fields(Attempt, attempt) for attempt in fields["attempts"]),
        attempt_count=fields["attempt_count"],
        next_at=_instant(fields.get("next_at", "")),
        due_at=_instant(due_at),
        is_asked_for=fields.get("is_asked_for", False),
        is_stored=True,
    )


def _instant(text: str) -> datetime | None:
    return from_text(text) if text else None
