"""The limits table: token buckets of merchants, and how much waits for each gateway.

    pk                             holds
    bucket#<merchant>#<live|test>  tat_ns: a bucket in one number (riel.domain.rate_limit)
    backlog#<gateway>              what waits in front of it, as a processor saw it last

Nothing here is a record of anything: what is lost is counted anew. Items expire by TTL. Beside
them stand the sweeper's watermarks (riel.store.watermarks), which do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from riel.domain.instants import epoch_milliseconds
from riel.domain.rate_limit import SECOND_NS, Bucket, whole_seconds
from riel.errors import StoreUnavailableError
from riel.ids import mode
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from riel.store.queues import Queue

MAX_ATTEMPTS = 4
"""A first try, one for what the first has learned, one for the last token, and one to spare."""
CLOCK_SLACK_NS = 10 * SECOND_NS
KEEP_SECONDS = 3600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leased:
    """So many tokens are the caller's; `tat` is the bucket's after it."""

    tokens: int
    tat: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Not one token was left; `tat` says when there will be."""

    tat: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages wait to be received, and for how long a payment holds its place."""

    visible: int
    step_ms: int
    measured_at_ms: int

    def drain_seconds(self, parallel: int) -> float:
        """How long so many payments side by side need for what waits."""
        return self.visible * self.step_ms / 1000 / parallel


class LimitStore:
    """The limits table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def reach(self) -> None:
        """Find out whether the table answers."""
        call(self._dynamodb.get_item, TableName=self._table, Key=_backlog_key("health"))

    def lease(
        self, pk: str, bucket: Bucket, tokens: int, now: int, last_tat: int = 0
    ) -> Leased | Refused:
        """Take tokens out of a bucket, or as many as are left; one write when nobody interferes.

        `now` and `last_tat`, what the caller saw last, are epoch nanoseconds; where that leaves
        no room there is no write at all. A lost race is tried again with what the loser was told,
        the third time for one token alone, so a refusal is always the bucket's own word. Raises
        StoreUnavailableError.

        One item takes 1,000 writes a second, so that many leases a second of one merchant.
        """
        tat, tokens = last_tat, min(tokens, bucket.burst)
        for attempt in range(MAX_ATTEMPTS):
            if not _is_full(bucket, tat, now):
                # The number only grows, so what the last one leaves no room for is not there.
                left = bucket.fitting(tat, now)
                if left < 1:
                    return Refused(tat)
                tokens = min(tokens, left) if attempt < 2 else 1
            try:
                return self._take(pk, bucket, tokens, now, tat)
            except ConditionFailedError as failed:
                tat = int(failed.item["tat_ns"]["N"]) if failed.item else 0
        raise StoreUnavailableError("the bucket changes faster than it can be read")

    def _take(self, pk: str, bucket: Bucket, tokens: int, now: int, tat: int) -> Leased:
        cost, furthest = bucket.time_of(tokens), now + bucket.depth
        values: dict[str, Any] = {
            ":now": now,
            ":expires": whole_seconds(furthest) + KEEP_SECONDS,
        }
        if _is_full(bucket, tat, now):
            expression = ":tat"
            condition = "attribute_not_exists(tat_ns) OR tat_ns < :now OR tat_ns > :impossible"
            values |= {":tat": now + cost, ":impossible": furthest + CLOCK_SLACK_NS}
        else:
            expression = "tat_ns + :cost"
            condition = "tat_ns BETWEEN :now AND :room"
            values |= {":cost": cost, ":room": furthest - cost}
        answer = call(
            self._dynamodb.update_item,
            TableName=self._table,
            Key={"pk": {"S": pk}},
            UpdateExpression=f"SET tat_ns = {expression}, expires_at = :expires",
            ConditionExpression=condition,
            ExpressionAttributeValues={key: encode(value) for key, value in values.items()},
            ReturnValues="UPDATED_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return Leased(tokens, int(answer["Attributes"]["tat_ns"]["N"]))

    def backlog(self, gateway: str) -> Backlog | None:
        """Read what waits for a gateway; raises StoreUnavailableError."""
        answer = _auxiliary(
            self._dynamodb.get_item, TableName=self._table, Key=_backlog_key(gateway)
        )
        item = answer.get("Item")
        if item is None:
            return None
        fields = from_item(item)
        return Backlog(fields["visible"], fields["step_ms"], fields["measured_at_ms"])

    def record_backlog(self, gateway: str, visible: int, step_ms: int, now: datetime) -> None:
        """Write what waits for a gateway; the last one holds. Raises StoreUnavailableError."""
        measured_at_ms = epoch_milliseconds(now)
        values = {
            ":visible": visible,
            ":step": step_ms,
            ":at": measured_at_ms,
            ":expires": measured_at_ms // 1000 + KEEP_SECONDS,
        }
        _auxiliary(
            self._dynamodb.update_item,
            TableName=self._table,
            Key=_backlog_key(gateway),
            UpdateExpression="SET visible = :visible, step_ms = :step, measured_at_ms = :at,"
            " expires_at = :expires",
            ExpressionAttributeValues={key: encode(value) for key, value in values.items()},
        )


def bucket_key(merchant_id: str, livemode: bool) -> str:
    """Key of a merchant's bucket in one mode."""
    return f"bucket#{merchant_id}#{mode(livemode)}"


def count_visible(queue: Queue) -> int:
    """Count what waits to be received now: not in flight, not delayed, and approximately.

    Raises StoreUnavailableError.
    """
    return _depth(queue)["visible"]


def count_waiting(queue: Queue) -> int:
    """Count what waits to be received, now or after its delay: not in flight, and approximately.

    Raises StoreUnavailableError.
    """
    depth = _depth(queue)
    return depth["visible"] + depth["delayed"]


def _depth(queue: Queue) -> dict[str, int]:
    try:
        return queue.depth()
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailableError(f"depth of {queue.url}: {error}") from error


def _backlog_key(gateway: str) -> Item:
    return {"pk": {"S": f"backlog#{gateway}"}}


def _is_full(bucket: Bucket, tat: int, now: int) -> bool:
    # Further ahead than a whole bucket can be: written under other limits, or by a clock that is
    # wrong. It must not lock the merchant out for as long as it is ahead.
    return tat < now or tat > now + bucket.depth + CLOCK_SLACK_NS


def _auxiliary(operation: Callable[..., T], **parameters: Any) -> T:
    """Call for a figure that nothing may fail for: even a missing permission is `unavailable`."""
    try:
        return call(operation, **parameters)
    except ClientError as error:
        raise StoreUnavailableError(str(error)) from error
