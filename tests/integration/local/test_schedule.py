"""The engine's clock starts functions; the sweeper's schedule depends on it."""

from __future__ import annotations

import json

import pytest

from tests.integration.local.conftest import SampleStage

pytestmark = pytest.mark.engine


def test_a_schedule_that_is_due_starts_its_function_with_its_input_once(
    stage: SampleStage,
) -> None:
    """At a moment that has passed, because a test can not wait for the minute of a rate."""
    body = json.dumps({"id": "by-the-clock", "do": "ok"})
    record = {"messageId": "m", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    scheduler = stage.aws.client("scheduler")
    functions = stage.aws.functions.get_function(FunctionName="consumer")
    scheduler.create_schedule(
        Name="once",
        ScheduleExpression="at(2026-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": functions["Configuration"]["FunctionArn"],
            "RoleArn": "arn:aws:iam::000000000000:role/clock",
            "Input": json.dumps({"Records": [record]}),
        },
    )
    try:
        (note,) = stage.receive_until("done", lambda bodies: len(bodies) > 0)
    finally:
        scheduler.delete_schedule(Name="once")
    assert json.loads(note)["id"] == "by-the-clock"
