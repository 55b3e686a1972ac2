"""Deliveries: what was sent to a merchant's endpoint, and what it answered.

The item, not the message, says how far a delivery is; each attempt is recorded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: `status` is the HTTP status or 0, `error` says why there was none."""

    at: str
    status: int
    latency_ms: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    event_id: str
    type: str
    url: str
    state: str = PENDING
    attempts: tuple[Attempt, ...] = ()


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
        return _read(item) if item else None

    def of_payment(self, payment_id: str) -> list[Delivery]:
        """Read all deliveries of a payment (a handful), in the order of their first attempts."""
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
        return sorted((_read(item) for item in answer["Items"]), key=lambda d: d.attempts[0].at)

    def record(self, payment_id: str, before: Delivery, attempt: Attempt, state: str) -> bool:
        """Add an attempt. Returns False when another worker recorded one meanwhile."""
        values = {
            ":state": state,
            ":type": before.type,
            ":url": before.url,
            ":none": [],
            ":attempt": [_write(attempt)],
            ":count": len(before.attempts),
            ":next": len(before.attempts) + 1,
        }
        unchanged = "attempt_count = :count" if before.attempts else "attribute_not_exists(pk)"
        if not before.attempts:
            del values[":count"]
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=_key(payment_id, before.event_id),
                UpdateExpression="SET #state = :state, #type = :type, #url = :url,"
                " attempt_count = :next,"
                " attempts = list_append(if_not_exists(attempts, :none), :attempt)",
                ConditionExpression=unchanged,
                ExpressionAttributeNames={"#state": "state", "#type": "type", "#url": "url"},
                ExpressionAttributeValues={key: encode(value) for key, value in values.items()},
            )
        except ConditionFailedError:
            return False
        return True


def _key(payment_id: str, event_id: str) -> Item:
    return {"pk": {"S": payment_id}, "sk": {"S": keys.delivery(event_id)}}


def _write(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
    }


def _read(item: Item) -> Delivery:
    fields = from_item(item)
    return Delivery(
        event_id=fields["sk"].removeprefix(keys.delivery("")),
        type=fields["type"],
        url=fields["url"],
        state=fields["state"],
        attempts=tuple(Attempt(**attempt) for attempt in fields["attempts"]),
    )
