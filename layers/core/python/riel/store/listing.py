"""A merchant's payments, newest first, from the keys-only index `listing`.

A position is an index entry's sort key, `<created_at>#<payment_id>`. All positions are equally
long, so they sort as the payments were created; within one millisecond, by id. The index may lag
by a second behind the table.

What a page costs on AWS: an index entry is about 150 bytes, so a query of up to 53 of them reads
one unit; each payment is half a unit for every 4 KB of it. A page of 20 small ones is 11 units,
1.4 dollars a million; a filter by status may read a hundred payments for one. Shards are queried
one after another, some 5 ms each: most merchants have one, and threads for the few with sixteen
would lengthen everybody's cold start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from riel.domain.instants import to_text
from riel.domain.payment import Payment
from riel.store import keys
from riel.store.batch_reads import MAX_BATCH, read_many
from riel.store.dynamodb import call
from riel.store.items import Item
from riel.store.merchants import Caller
from riel.store.payment_items import read_payment

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

INDEX = "listing"
_OLDEST, _NEWEST = "0", "~"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a list: between two texts, which are compared with positions."""

    first: str = _OLDEST
    last: str = _NEWEST

    @classmethod
    def of(
        cls, created_from: datetime | None, created_to: datetime | None, after: str | None = None
    ) -> Span:
        """Cut out created_from <= created_at < created_to, of that what comes after a position.

        The list runs backwards in time, so what comes after is older. Instants are whole
        milliseconds.
        """
        first = to_text(created_from) if created_from else _OLDEST
        # An instant alone sorts before every position of its millisecond, so it excludes them.
        last = to_text(created_to) if created_to else _NEWEST
        return cls(first, min(last, _just_before(after)) if after else last)


class ListingStore:
    """Reads lists of payments."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def newest(self, owner: Caller, span: Span, limit: int) -> list[str]:
        """Return up to `limit` positions of one merchant and mode, newest first.

        One query for each of the merchant's shards, and more only for more than about 4,000
        positions (1 MB). Raises StoreUnavailableError.
        """
        if span.first > span.last:  # DynamoDB refuses a BETWEEN that is upside down
            return []
        shards = range(owner.merchant.listing_shards)
        found = [self._newest_of_shard(owner, shard, span, limit) for shard in shards]
        return list(islice(merge(*found, reverse=True), limit))

    def payments(
        self, positions: Sequence[str], at_once: int = MAX_BATCH
    ) -> Iterator[tuple[str, Payment | None]]:
        """Yield the payments at these positions, as they are now, in the same order.

        Reads `at_once` of them (100 at most) when the first of them is asked for. A payment that
        was deleted by hand is None. Raises StoreUnavailableError.
        """
        for start in range(0, len(positions), at_once):
            part = positions[start : start + at_once]
            found = self._read([_payment_id(position) for position in part])
            yield from ((position, found.get(_payment_id(position))) for position in part)

    def _newest_of_shard(self, owner: Caller, shard: int, span: Span, limit: int) -> list[str]:
        partition = keys.listing_partition(owner.merchant_id, owner.livemode, shard)
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "listing_pk = :pk AND listing_sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": partition},
                ":first": {"S": span.first},
                ":last": {"S": span.last},
            },
            "ScanIndexForward": False,
        }
        found: list[str] = []
        while True:
            answer = call(self._dynamodb.query, **request, Limit=limit - len(found))
            found += [item["listing_sk"]["S"] for item in answer["Items"]]
            if len(found) == limit or "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _read(self, payment_ids: Sequence[str]) -> dict[str, Payment]:
        """Read payments, a moment old at half the price; one that is too young for that, again."""
        found = self._read_all(payment_ids, is_consistent=False)
        if missing := [payment_id for payment_id in payment_ids if payment_id not in found]:
            found |= self._read_all(missing, is_consistent=True)
        return found

    def _read_all(self, payment_ids: Sequence[str], *, is_consistent: bool) -> dict[str, Payment]:
        wanted: list[Item] = [{"pk": {"S": pk}, "sk": {"S": keys.PAYMENT}} for pk in payment_ids]
        found = read_many(self._dynamodb, self._table, wanted, is_consistent=is_consistent)
        return {item["pk"]["S"]: read_payment(item) for item in found}


def _payment_id(position: str) -> str:
    return position.partition("#")[2]


def _just_before(position: str) -> str:
    # Among texts of equal length: what is not above this is below the position.
    return position[:-1] + chr(ord(position[-1]) - 1)
