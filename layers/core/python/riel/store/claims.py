"""Claims: one worker at a time does the gateway step of a payment or a refund.

A claim is a lease (`lease_until`, epoch milliseconds) and a fencing token (`fence`, grows by one
with every claim). Whoever records a result names the fence of its own claim, so that a worker
that slept through its lease can write nothing.

`quiet_since` says since when no earlier worker can have sent anything to the gateway: the end of
the last lease, or an earlier moment that its worker left in the lease's place when it gave the
claim back. 0 is for "nothing was ever sent".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.instants import epoch_milliseconds
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PENDING, _PROCESSING = "pending", "processing"
_NAMES = {"#status": "status", "#sequence": "sequence"}


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """The item is ours until the lease ends."""

    item: Item


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker has it for so many more seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NotClaimable:
    """It stands where no claim is possible, or is absent (None)."""

    item: Item | None


class Claims:
    """Claims on items of one table that have a `status`, a `sequence` and a `history`."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def claim(
        self, key: Item, line: Mapping[str, Any], now: datetime, lease: timedelta
    ) -> ClaimedItem | Held | NotClaimable:
        """Take the item, one write in the common case. `line` is the first claim's history line."""
        until = epoch_milliseconds(now + lease)
        try:
            return ClaimedItem(self._claim_pending(key, line, until))
        except ConditionFailedError as failed:
            found = failed.item
        if found is None or found["status"]["S"] != _PROCESSING:
            return NotClaimable(found)
        return self._claim_again(key, now, until)

    def release(
        self,
        key: Item,
        fence: int,
        fields: Mapping[str, Any],
        held_until: datetime | None = None,
    ) -> bool:
        """Give a claim back with these fields (None: none); False when it was lost already.

        With `held_until`, the end of its lease, also when it was given back already: whoever failed
        there does not know that, and must not write over what it wrote.
        """
        present = {name: value for name, value in fields.items() if value is not None}
        sets = ", ".join(f"#{name} = :{name}" for name in present)
        absent = ", ".join(f"#{name}" for name in fields if name not in present)
        names = {f"#{name}": name for name in fields} | {"#status": "status"}
        values = {f":{name}": value for name, value in present.items()}
        values |= {":fence": fence, ":processing": _PROCESSING}
        expression = f"SET {sets}" + (f" REMOVE {absent}" if absent else "")
        # The fence alone would not tell a result that was written although its answer was lost.
        condition = "fence = :fence AND #status = :processing"
        if held_until is not None:
            condition += " AND #lease_until = :held_until"
            values[":held_until"] = epoch_milliseconds(held_until)
        try:
            self._update(key, expression, condition, values, names)
        except ConditionFailedError:
            return False
        return True

    def _claim_pending(self, key: Item, line: Mapping[str, Any], until: int) -> Item:
        values = {
            ":processing": _PROCESSING,
            ":pending": _PENDING,
            ":one": 1,
            ":two": 2,
            ":until": until,
            ":line": [line],
        }
        return self._update(
            key,
            "SET #status = :processing, #sequence = :two, lease_until = :until, fence = :one,"
            " history = list_append(history, :line)",
            "#status = :pending AND #sequence = :one",
            values,
            _NAMES,
        )

    def _claim_again(
        self, key: Item, now: datetime, until: int
    ) -> ClaimedItem | Held | NotClaimable:
        now_ms = epoch_milliseconds(now)
        values = {":processing": _PROCESSING, ":until": until, ":one": 1, ":now": now_ms}
        try:
            item = self._update(
                key,
                "SET quiet_since = lease_until, lease_until = :until, fence = fence + :one",
                "#status = :processing AND lease_until <= :now",
                values,
                {"#status": "status"},
            )
        except ConditionFailedError as failed:
            found = failed.item
            if found is None or found["status"]["S"] != _PROCESSING:
                return NotClaimable(found)
            return Held((int(found["lease_until"]["N"]) - now_ms) / 1000)
        return ClaimedItem(item)

    def _update(
        self,
        key: Item,
        expression: str,
        condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> Item:
        answer = call(
            self._dynamodb.update_item,
            TableName=self._table,
            Key=key,
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues={name: encode(value) for name, value in values.items()},
            ExpressionAttributeNames=dict(names),
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return dict(answer["Attributes"])
