"""Many items of one table by their keys, a hundred in a call."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from riel.errors import StoreUnavailableError
from riel.store.dynamodb import call
from riel.store.items import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MAX_BATCH = 100
"""DynamoDB's limit of keys in one BatchGetItem."""
MAX_TRIES = 5
UNPROCESSED_WAIT_SECONDS = 0.02


def read_many(
    dynamodb: DynamoDBClient,
    table: str,
    wanted: Sequence[Item],
    *,
    is_consistent: bool = False,
    fields: Mapping[str, str] | None = None,
) -> Iterator[Item]:
    """Yield the items that are there, in any order; the keys must differ.

    `fields` are the attributes to return, by a placeholder such as `#status`; they cost as much as
    the whole items, and take less time to carry and to read. Raises StoreUnavailableError.
    """
    options: dict[str, Any] = {"ConsistentRead": is_consistent}
    if fields:
        options["ProjectionExpression"] = ", ".join(fields)
        options["ExpressionAttributeNames"] = dict(fields)
    for start in range(0, len(wanted), MAX_BATCH):
        yield from _read_batch(dynamodb, table, wanted[start : start + MAX_BATCH], options)


def _read_batch(
    dynamodb: DynamoDBClient, table: str, wanted: Sequence[Item], options: Mapping[str, Any]
) -> Iterator[Item]:
    for attempt in range(MAX_TRIES):
        request: Any = {table: {"Keys": wanted, **options}}
        answer: Any = call(dynamodb.batch_get_item, RequestItems=request)
        yield from answer.get("Responses", {}).get(table, [])
        wanted = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys")
        if not wanted:
            return
        # The SDK does not retry these: the call succeeded, only not for all keys.
        time.sleep(random.uniform(0, UNPROCESSED_WAIT_SECONDS * 2**attempt))
    raise StoreUnavailableError(f"{len(wanted)} items were not read")
