"""How far the sweeper has come with the outbox, for each age at which it looks.

    limits table, pk `sweeper#<age in seconds>`: places {<queue>: <minute>#<shard>#<after>}

Of everything in the outbox before a queue's place, what belongs into that queue was looked at, and
its effect was there or caused again. The queues' places stand in one item and move in one write, so
they are together most of the time, and one read of the outbox serves them all. It is kept for ever,
so that no time is passed over however long nobody swept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode
from riel.store.outbox import Place

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Places = Mapping[str, Place]
"""A queue's name to its place."""


class WatermarkStore:
    """Watermarks live in the limits table."""

    def __init__(self, dynamodb: DynamoDBClient, limits_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = limits_table

    def get(self, age_seconds: int) -> dict[str, Place] | None:
        """Read a lane's places, strongly consistent; None where nobody has swept yet."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(age_seconds),
            ConsistentRead=True,
        )
        places = answer.get("Item", {}).get("places")
        if places is None:
            return None
        return {queue: Place.parse(place["S"]) for queue, place in places["M"].items()}

    def move(self, age_seconds: int, seen: Places | None, places: Places) -> bool:
        """Replace a lane's places as they were seen (None: none); False when another did."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": _key(age_seconds),
            "UpdateExpression": "SET #places = :places",
            "ConditionExpression": "#places = :seen" if seen else "attribute_not_exists(#places)",
            "ExpressionAttributeNames": {"#places": "places"},
            "ExpressionAttributeValues": {":places": _map(places)},
        }
        if seen:
            request["ExpressionAttributeValues"][":seen"] = _map(seen)
        try:
            call(self._dynamodb.update_item, **request)
        except ConditionFailedError:
            return False
        return True


def _map(places: Places) -> Any:
    return encode({queue: str(place) for queue, place in places.items()})


def _key(age_seconds: int) -> Item:
    return {"pk": {"S": f"sweeper#{age_seconds}"}}
