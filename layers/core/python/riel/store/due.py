"""What waits for a time or a person, from the sparse keys-only index `due` of the payments table.

The index says all that its reader needs: when, in which queue, and about what. It may lag by a
second behind the table, so an entry may tell of a time that was changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.instants import from_text, to_text
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

INDEX = "due"
ONE_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class DueItem:
    """One entry: `subject` is a payment's id, with a refund's where it is about one, or an event's.

    `queue` is a gateway's name, or `keys.INBOX_QUEUE`.
    """

    at: datetime
    queue: str
    subject: tuple[str, ...]
    key: Item
    sort_key: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payment that waits for a person, or with `sort_key` a refund of it."""

    payment_id: str
    sort_key: str

    @property
    def refund_id(self) -> str:
        """Which refund waits; empty for the payment itself."""
        prefix = keys.refund("")
        return self.sort_key.removeprefix(prefix) if self.sort_key.startswith(prefix) else ""


class DueStore:
    """Reads the index, and moves what is in it to a later time."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def until(self, partition: str, now: datetime, page_size: int) -> Iterator[list[DueItem]]:
        """Yield what is due in one partition, the oldest first, page by page.

        What a reader moves meanwhile does not come again in a later page of the same walk.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "due_pk = :pk AND due_sk < :end",
            "ExpressionAttributeValues": {
                ":pk": {"S": partition},
                ":end": {"S": to_text(now + ONE_MILLISECOND)},
            },
            "Limit": page_size,
        }
        while True:
            page = call(self._dynamodb.query, **request)
            if page["Items"]:
                yield [_read(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def waiting(self, partition: str, limit: int, prefix: str = "") -> list[Waiting]:
        """Read up to `limit` entries of a partition that persons read, in their order.

        With `prefix` only those whose sort keys begin with it.
        """
        found: list[Waiting] = []
        for page in self._pages(partition, prefix, Limit=limit):
            found += [Waiting(item["pk"]["S"], item["sk"]["S"]) for item in page["Items"]]
            if len(found) >= limit:
                break
        return found[:limit]

    def count(self, partition: str) -> int:
        """Count the entries of a partition; may lag by seconds."""
        return sum(page["Count"] for page in self._pages(partition, Select="COUNT"))

    def _pages(self, partition: str, prefix: str = "", **more: Any) -> Iterator[Any]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "due_pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition}},
            **more,
        }
        if prefix:
            request["KeyConditionExpression"] += " AND begins_with(due_sk, :prefix)"
            request["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        while True:
            page = call(self._dynamodb.query, **request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def postpone(self, due: DueItem, at: datetime) -> bool:
        """Move an entry to a later time; False when it was moved, or is gone, since it was read."""
        due_sk = "#".join((to_text(at), due.queue, *due.subject))
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=due.key,
                UpdateExpression="SET due_sk = :sk",
                ConditionExpression="due_sk = :seen",
                ExpressionAttributeValues={
                    ":sk": {"S": due_sk},
                    ":seen": {"S": due.sort_key},
                },
            )
        except ConditionFailedError:
            return False
        return True


def _read(item: Item) -> DueItem:
    sort_key = item["due_sk"]["S"]
    at, queue, *subject = sort_key.split("#")
    key = {"pk": item["pk"], "sk": item["sk"]}
    return DueItem(from_text(at), queue, tuple(subject), key, sort_key)
