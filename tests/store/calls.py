"""Calls of a database's operations on few items, as short as tests want them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from riel.store.items import encode
from tests.store.conftest import Database

Item = dict[str, Any]


def item(sk: str = "a", **fields: Any) -> Item:
    return {name: encode(value) for name, value in {"pk": "p", "sk": sk, **fields}.items()}


def key(sk: str = "a") -> Item:
    return item(sk)


def put(database: Database, *items: Item) -> None:
    for one in items:
        database.client.put_item(TableName=database.table("payments"), Item=one)


def stored(database: Database, sk: str = "a") -> Item | None:
    found: Item | None = database.client.get_item(
        TableName=database.table("payments"), Key=key(sk), ConsistentRead=True
    ).get("Item")
    return found


def update(database: Database, expression: str, **parameters: Any) -> Any:
    values = parameters.pop("values", {})
    if values:
        named = {f":{name}": encode(value) for name, value in values.items()}
        parameters["ExpressionAttributeValues"] = named
    return database.client.update_item(
        TableName=database.table("payments"),
        Key=key(),
        UpdateExpression=expression,
        **parameters,
    )


def refusal(call: Any) -> tuple[str, Any]:
    """The code of a refusal, and all that came with it."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response


def transact(database: Database, *actions: dict[str, Any], token: str = "") -> None:
    table = {"TableName": database.table("payments")}
    items = [{kind: {**action, **table}} for one in actions for kind, action in one.items()]
    more = {"ClientRequestToken": token} if token else {}
    database.client.transact_write_items(TransactItems=items, **more)
