"""The outbox: events written with the change they tell of, read back by stream or by query."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel import threads
from riel.domain.events import Event
from riel.domain.instants import from_text, to_text
from riel.errors import MalformedMessageError
from riel.store import keys
from riel.store.dynamodb import call
from riel.store.items import Item, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def put_action(table: str, event: Event) -> dict[str, Any]:
    """Build the transaction's action that writes the event."""
    pk, sk = keys.outbox_key(event.at, event.payment_id, event.event_id)
    fields = {
        "pk": pk,
        "sk": sk,
        "event_id": event.event_id,
        "type": event.type,
        "payment_id": event.payment_id,
        "merchant_id": event.merchant_id,
        "sequence": event.sequence,
        "at": to_text(event.at),
        "body": event.body,
        "webhook_url": event.webhook_url,
        "traceparent": event.traceparent,
        "gateway": event.gateway,
        "refund_id": event.refund_id,
        "expires_at": int((event.at + keys.OUTBOX_LIFE).timestamp()),
    }
    return {"Put": {"TableName": table, "Item": to_item(fields)}}


def read_event(item: Mapping[str, Any]) -> Event:
    """Read an event from its item; raises MalformedMessageError naming what is wrong."""
    try:
        fields = from_item(item)
        return Event(
            event_id=fields["event_id"],
            type=fields["type"],
            payment_id=fields["payment_id"],
            merchant_id=fields["merchant_id"],
            sequence=fields["sequence"],
            at=from_text(fields["at"]),
            body=fields.get("body", ""),
            webhook_url=fields.get("webhook_url"),
            traceparent=fields.get("traceparent", ""),
            gateway=fields.get("gateway", ""),
            refund_id=fields.get("refund_id", ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedMessageError(f"outbox record: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of the outbox that is not an event: where it is, and what is wrong with it."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """How far a reader of the outbox is: in a shard of a minute, behind the sort key `after`."""

    minute: datetime
    shard: int = 0
    after: str = ""

    def __str__(self) -> str:
        """Write it as `<minute>#<shard>#<after>`."""
        return f"{keys.outbox_partition(self.minute, self.shard)}#{self.after}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what `str` gave."""
        minute, shard, after = text.split("#", 2)
        return cls(from_text(f"{minute}Z"), int(shard), after)

    def next_shard(self) -> Place:
        """Go on to where the next shard, or the next minute, begins."""
        if self.shard + 1 < keys.SHARDS:
            return Place(self.minute, self.shard + 1)
        return Place(self.minute + timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Page:
    """What was read from one place on, and the place from which to read on."""

    entries: list[Event | Unreadable]
    next: Place


class OutboxStore:
    """Reads ranges of the outbox."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, at: datetime, payment_id: str, event_id: str) -> Event | None:
        """Read one event by what its key is made of; None once it is no longer kept.

        Strongly consistent: for lack of its event a delivery fails for good.
        """
        pk, sk = keys.outbox_key(at, payment_id, event_id)
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            ConsistentRead=True,
        )
        return read_event(answer["Item"]) if "Item" in answer else None

    def between(self, start: datetime, end: datetime) -> Iterator[Event]:
        """Yield the events with start <= at < end, in the order of their times.

        Raises MalformedMessageError at a record that can not be read.
        """
        for item in self._items(start, end):
            yield read_event(item)

    def scan(self, start: datetime, end: datetime) -> Iterator[Event | Unreadable]:
        """Yield what `between` does, and what can not be read without stopping there."""
        for item in self._items(start, end):
            yield _read_entry(item)

    def page(self, place: Place, limit: int) -> Page:
        """Read up to so many records of one shard, in one query."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {
                ":pk": {"S": keys.outbox_partition(place.minute, place.shard)}
            },
            "Limit": limit,
        }
        if place.after:
            request["KeyConditionExpression"] += " AND sk > :after"
            request["ExpressionAttributeValues"][":after"] = {"S": place.after}
        found = call(self._dynamodb.query, **request)
        entries = [_read_entry(item) for item in found["Items"]]
        if "LastEvaluatedKey" not in found:
            return Page(entries, place.next_shard())
        return Page(entries, replace(place, after=found["LastEvaluatedKey"]["sk"]["S"]))

    def _items(self, start: datetime, end: datetime) -> Iterator[Item]:
        minute = start.replace(second=0, microsecond=0)
        # A range of days is thousands of minutes, most of them empty: their queries go together.
        with threads.pool(keys.SHARDS) as pool:
            while minute < end:
                requests = [self._request(minute, shard) for shard in range(keys.SHARDS)]
                pages = pool.map(lambda request: call(self._dynamodb.query, **request), requests)
                # Each shard is in order already, so that a page of each is all that is held.
                shards = [
                    self._bucket(request, page, start, end)
                    for request, page in zip(requests, pages, strict=True)
                ]
                yield from heapq.merge(*shards, key=lambda item: item["sk"]["S"])
                minute += timedelta(minutes=1)

    def _request(self, minute: datetime, shard: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": keys.outbox_partition(minute, shard)}},
        }

    def _bucket(
        self, request: dict[str, Any], page: Any, start: datetime, end: datetime
    ) -> Iterator[Item]:
        # The sort key begins with the event's time, in milliseconds, so judging the range needs
        # no reading of the events; an end inside a millisecond includes that millisecond.
        first, last = to_text(start), to_text(end + timedelta(microseconds=999))
        while True:
            yield from (item for item in page["Items"] if first <= item["sk"]["S"] < last)
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            page = call(self._dynamodb.query, **request)


def _read_entry(item: Item) -> Event | Unreadable:
    try:
        return read_event(item)
    except MalformedMessageError as error:
        return Unreadable(f"{item['pk']['S']} {item['sk']['S']}", str(error))
