"""The model and the engine, given the same random programs, answer the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings

from tests.store.conftest import Database, empty, model_database
from tests.store.programs import PARTITIONS, Request, programs

pytestmark = pytest.mark.engine
PROGRAMS = 150
_numbers = count()


@pytest.fixture
def both(engine_database: Database) -> Iterator[list[Database]]:
    yield [model_database(), engine_database]
    empty(engine_database)


def run(database: Database, method: str, request: Request) -> Any:
    """Call the database; return what it answers or how it refuses, without the wording."""
    table = {"TableName": database.table("payments")}
    if method == "transact_write_items":
        actions = [
            {kind: {**action, **table} for kind, action in one.items()}
            for one in request["TransactItems"]
        ]
        request, table = {"TransactItems": actions}, {}
    try:
        answer = getattr(database.client, method)(**request, **table)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        told: Any = [{**reason, "Message": ""} for reason in reasons]
        return error.response["Error"]["Code"], error.response.get("Item"), told
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def in_partitions_of_its_own(program: list[tuple[str, Request]]) -> list[tuple[str, Request]]:
    """The program, with partitions that no other one has, and in the end a look at them."""
    own, text = next(_numbers), json.dumps(program)
    for partition in PARTITIONS:
        text = text.replace(f'{{"S": "{partition}"}}', f'{{"S": "{partition}-{own}"}}')
    final = [all_of(f"{partition}-{own}") for partition in PARTITIONS]
    return [(method, request) for method, request in json.loads(text)] + final


def all_of(partition: str) -> tuple[str, Request]:
    return "query", {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": partition}},
        "ConsistentRead": True,
    }


@settings(
    max_examples=PROGRAMS,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=programs)
def test_the_same_program_has_the_same_answers(
    both: list[Database], program: list[tuple[str, Request]]
) -> None:
    model, engine = both
    for method, request in in_partitions_of_its_own(program):
        assert run(model, method, request) == run(engine, method, request), (method, request)
