"""How far the sweeper has come with the outbox, for each age at which it looks.

    limits table, pk `sweeper#<age in seconds>`: until

Everything in the outbox before `until` was looked at, and its effect was there or caused again. It
is kept for ever, so that no time is passed over however long nobody swept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel.domain.instants import from_text, to_text
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class WatermarkStore:
    """Watermarks live in the limits table."""

    def __init__(self, dynamodb: DynamoDBClient, limits_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = limits_table

    def get(self, age_seconds: int) -> datetime | None:
        """Read a watermark, strongly consistent."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(age_seconds),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return from_text(item["until"]["S"]) if item else None

    def advance(self, age_seconds: int, seen: datetime | None, until: datetime) -> bool:
        """Move a watermark from where it was seen (None: nowhere); False when another did."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": _key(age_seconds),
            "UpdateExpression": "SET #until = :until",
            "ConditionExpression": "#until = :seen" if seen else "attribute_not_exists(#until)",
            "ExpressionAttributeNames": {"#until": "until"},
            "ExpressionAttributeValues": {":until": {"S": to_text(until)}},
        }
        if seen:
            request["ExpressionAttributeValues"][":seen"] = {"S": to_text(seen)}
        try:
            call(self._dynamodb.update_item, **request)
        except ConditionFailedError:
            return False
        return True


def _key(age_seconds: int) -> Item:
    return {"pk": {"S": f"sweeper#{age_seconds}"}}
