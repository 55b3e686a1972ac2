"""The same tests against the simulator's model of DynamoDB and against the embedded engine."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.aws import Aws
from riel.app import App
from tests.builders import FakeClock, create_tables, make_app
from tests.model import model_client, new_model

TABLES = ("payments", "outbox", "merchants", "idempotency", "limits")
ALL_TABLES = (*TABLES, "simulator")
BOTH = ["model", pytest.param("engine", marks=pytest.mark.engine)]


@dataclass(frozen=True, slots=True)
class Database:
    """A database with tables for these tests alone, whose names begin with `prefix`."""

    kind: str
    client: Any
    prefix: str

    def table(self, name: str) -> str:
        return self.prefix + name


@pytest.fixture(scope="session")
def engine_database(engine_aws: Aws) -> Iterator[Database]:
    """Tables on the shared stage's engine, made once: that takes longer than most tests here."""
    prefix = f"store-{uuid.uuid4().hex[:8]}-"
    create_tables(engine_aws.dynamodb, prefix)
    yield Database("engine", engine_aws.dynamodb, prefix)
    for name in ALL_TABLES:
        engine_aws.dynamodb.delete_table(TableName=prefix + name)


def model_database() -> Database:
    """A new model; nobody else may use its client at the same time."""
    new_model(time.time)
    create_tables(model_client("dynamodb"))
    return Database("model", model_client("dynamodb"), "")


def empty(database: Database) -> None:
    """Delete every item of every table."""
    scan = database.client.get_paginator("scan")
    for name in ALL_TABLES:
        table = database.table(name)
        for page in scan.paginate(TableName=table, ConsistentRead=True):
            for item in page["Items"]:
                key = {part: item[part] for part in ("pk", "sk") if part in item}
                database.client.delete_item(TableName=table, Key=key)


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """One of the two, without any items."""
    if request.param == "model":
        yield model_database()
        return
    on_engine: Database = request.getfixturevalue("engine_database")
    yield on_engine
    empty(on_engine)


@pytest.fixture
def dynamodb(database: Database) -> Any:
    return database.client


@pytest.fixture
def app(database: Database, clock: FakeClock) -> App:
    """The real stores over the database; no queues, no gateways."""
    built = make_app(None, clock, **{f"{name}_table": database.table(name) for name in TABLES})
    built.__dict__["dynamodb"] = database.client
    return built
