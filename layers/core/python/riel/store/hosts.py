"""Hosts that merchants' webhooks go to: which have proven that they answer, and who tries another.

In the limits table, and no record of anything: what is lost is learned anew. Items expire by TTL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from riel.errors import StoreUnavailableError
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import encode, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NEW, SLOW = "new", "slow"
"""The two turns of a merchant's hosts that are not proven."""
KEEP_SECONDS = 86_400
"""How long an item outlives what it says."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Host:
    """What all environments know of a host; times are epoch milliseconds, 0 for never.

    `misses` is how often it did not answer in time, since a proof last lived for half its life.
    """

    proven_until_ms: int = 0
    rests_until_ms: int = 0
    misses: int = 0


class HostStore:
    """What is known of hosts. Every method raises StoreUnavailableError, whatever goes wrong."""

    def __init__(self, dynamodb: DynamoDBClient, limits_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = limits_table

    def get(self, merchant_id: str, authority: str) -> Host:
        """Read what is known of a host; may lag by a moment."""
        answer = _auxiliary(
            self._dynamodb.get_item,
            TableName=self._table,
            Key={"pk": {"S": keys.host(merchant_id, authority)}},
        )
        fields = from_item(answer.get("Item", {}))
        return Host(**{name: fields.get(name, 0) for name in Host.__slots__})

    def put(self, merchant_id: str, authority: str, host: Host) -> None:
        """Write what is known of a host; the last one holds."""
        ends_ms = max(host.proven_until_ms, host.rests_until_ms)
        values = {name: getattr(host, name) for name in Host.__slots__}
        self._set(keys.host(merchant_id, authority), {**values, "expires_at": _expiry(ends_ms)})

    def doubted_at_ms(self, merchant_id: str) -> int:
        """Read since when a merchant's hosts have to prove themselves anew; may lag by a moment."""
        answer = _auxiliary(
            self._dynamodb.get_item,
            TableName=self._table,
            Key={"pk": {"S": keys.probe(merchant_id, NEW)}},
            ProjectionExpression="doubted_at_ms",
        )
        return int(from_item(answer.get("Item", {})).get("doubted_at_ms", 0))

    def doubt(self, merchant_id: str, at_ms: int) -> None:
        """Have a merchant's hosts prove themselves anew; kept for as long as a proof lives."""
        fields = {"doubted_at_ms": at_ms, "expires_at": _expiry(at_ms)}
        self._set(keys.probe(merchant_id, NEW), fields)

    def take_probe(self, merchant_id: str, turn: str, now_ms: int, until_ms: int) -> int:
        """Become the one who tries, until then: 0, or until when somebody else does.

        A lease that is longer than one can be was written by a clock that is wrong, and counts
        for nothing.
        """
        try:
            self._set(
                keys.probe(merchant_id, turn),
                {"until_ms": until_ms, "expires_at": _expiry(until_ms)},
                "attribute_not_exists(until_ms) OR until_ms <= :now OR until_ms > :longest",
                {":now": now_ms, ":longest": until_ms + (until_ms - now_ms)},
            )
        except ConditionFailedError as failed:
            return int(from_item(failed.item or {}).get("until_ms", until_ms))
        return 0

    def end_probe(self, merchant_id: str, turn: str, until_ms: int) -> None:
        """Let the next one try, unless another has already taken over the lease."""
        try:
            self._set(
                keys.probe(merchant_id, turn),
                {"until_ms": 0, "expires_at": _expiry(until_ms)},
                "until_ms = :mine",
                {":mine": until_ms},
            )
        except ConditionFailedError:
            return

    def _set(
        self,
        pk: str,
        fields: Mapping[str, int],
        condition: str = "",
        more: Mapping[str, int] | None = None,
    ) -> None:
        values = {f":{name}": value for name, value in fields.items()} | dict(more or {})
        _auxiliary(
            self._dynamodb.update_item,
            TableName=self._table,
            Key={"pk": {"S": pk}},
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in fields),
            ExpressionAttributeValues={name: encode(value) for name, value in values.items()},
            **(_only_if(condition) if condition else {}),
        )


def _only_if(condition: str) -> dict[str, str]:
    return {
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _expiry(milliseconds: int) -> int:
    return milliseconds // 1000 + KEEP_SECONDS


def _auxiliary(operation: Callable[..., T], **parameters: Any) -> T:
    """Call for what no webhook may fail for: even a missing permission is `unavailable`."""
    try:
        return call(operation, **parameters)
    except ClientError as error:
        raise StoreUnavailableError(str(error)) from error
