"""Dead letters that an operator put aside: kept for good, with who did it and why.

They stand together by queue, not beside their payments, so that one query lists them; people put
letters aside, one at a time, so no such key is hot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel.domain.instants import from_text, to_text
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MAX_BODY_BYTES = 350_000
"""Below DynamoDB's 400 KB for an item, with room for the rest of it."""


@dataclass(frozen=True, slots=True)
class PutAside:
    """A letter in quarantine. `cause` is why it was dead, `reason` why it was put aside.

    `released_at` is when it was sent back after all.
    """

    queue: str
    message_id: str
    body: str
    sent_at: datetime
    receives: int
    cause: str
    reason: str
    by: str
    at: datetime
    payment_ids: tuple[str, ...] = ()
    released_at: datetime | None = None


class QuarantineStore:
    """Letters in quarantine live in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def put(self, letter: PutAside) -> bool:
        """Keep a letter; False when it is there already, as after a run that was cut off."""
        fields = {
            "pk": keys.quarantine(letter.queue),
            "sk": letter.message_id,
            "body": letter.body,
            "sent_at": to_text(letter.sent_at),
            "receives": letter.receives,
            "cause": letter.cause,
            "reason": letter.reason,
            "by": letter.by,
            "at": to_text(letter.at),
            "payment_ids": letter.payment_ids,
        }
        try:
            call(
                self._dynamodb.put_item,
                TableName=self._table,
                Item=to_item(fields),
                # What was released and died again under its old id is put aside anew.
                ConditionExpression="attribute_not_exists(pk) OR attribute_exists(released_at)",
            )
        except ConditionFailedError:
            return False
        return True

    def get(self, queue: str, message_id: str) -> PutAside | None:
        """Read one letter, strongly consistent, whether or not it was released."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(queue, message_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return _read(item) if item else None

    def of_queue(self, queue: str, payment_id: str = "") -> list[PutAside]:
        """Read a queue's letters that were not released, the first put aside first.

        With `payment_id`, only those that are about this payment.
        """
        request = self._unreleased(queue)
        if payment_id:
            request["FilterExpression"] += " AND contains(payment_ids, :payment)"
            request["ExpressionAttributeValues"][":payment"] = encode(payment_id)
        pages = self._pages(request)
        found = [_read(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda letter: (letter.at, letter.message_id))

    def count(self, queue: str) -> int:
        """Count a queue's letters that were not released."""
        request = self._unreleased(queue) | {"Select": "COUNT"}
        return sum(page["Count"] for page in self._pages(request))

    def _unreleased(self, queue: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "attribute_not_exists(released_at)",
            "ExpressionAttributeValues": {":pk": encode(keys.quarantine(queue))},
            "ConsistentRead": True,
        }

    def _pages(self, request: dict[str, Any]) -> Iterator[Any]:
        while True:
            page = call(self._dynamodb.query, **request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def mark_released(self, letter: PutAside, by: str, at: datetime) -> None:
        """Note that a letter was sent back; it stays as the record of what was done."""
        values = {":by": encode(by), ":at": encode(to_text(at))}
        call(
            self._dynamodb.update_item,
            TableName=self._table,
            Key=_key(letter.queue, letter.message_id),
            UpdateExpression="SET released_by = :by, released_at = :at",
            ExpressionAttributeValues=values,
        )


def _key(queue: str, message_id: str) -> Item:
    return {"pk": encode(keys.quarantine(queue)), "sk": encode(message_id)}


def _read(item: Item) -> PutAside:
    fields = from_item(item)
    released_at = fields.get("released_at")
    return PutAside(
        queue=keys.quarantined_queue(fields["pk"]),
        message_id=fields["sk"],
        body=fields.get("body", ""),
        sent_at=from_text(fields["sent_at"]),
        receives=fields["receives"],
        cause=fields.get("cause", ""),
        reason=fields["reason"],
        by=fields["by"],
        at=from_text(fields["at"]),
        payment_ids=tuple(fields.get("payment_ids", ())),
        released_at=from_text(released_at) if released_at else None,
    )
