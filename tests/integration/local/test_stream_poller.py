"""The stream poller on the engine: the deployed mapping's settings are obeyed."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.integration.local.conftest import SampleStage
from tests.simulator_stage import until

pytestmark = pytest.mark.engine


def keys(count: int) -> list[str]:
    return [f"event-{uuid.uuid4()}" for _ in range(count)]


def test_the_mapping_is_taken_over_from_the_engine(stage: SampleStage) -> None:
    mappings = stage.aws.functions.list_event_source_mappings(FunctionName="relay")
    assert [m["State"] for m in mappings["EventSourceMappings"]] == ["Disabled"]


def test_records_reach_the_function_in_order(stage: SampleStage) -> None:
    expected = keys(30)
    for key in expected:
        stage.put_events((key, "ok"))
    bodies = stage.receive_until("done", lambda found: len(found) >= len(expected))
    assert bodies == expected


@pytest.mark.parametrize("poison", ["raise", "name"])
def test_fc_59_a_poison_record_is_isolated_and_the_rest_flows(
    stage: SampleStage, poison: str
) -> None:
    good = keys(20)
    bad = f"poison-{uuid.uuid4()}"
    events = [(key, "ok") for key in good]
    events.insert(7, (bad, poison))
    stage.put_events(*events)

    bodies = stage.receive_until("done", lambda found: set(good) <= set(found), seconds=60)
    assert bad not in bodies
    (given_up,) = stage.receive_until("given-up", lambda found: len(found) >= 1)
    record = json.loads(given_up)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    assert _key_at(stage, record) == bad


def _key_at(stage: SampleStage, record: dict[str, dict[str, str]]) -> str:
    """Read the record that an on-failure document points to, as an operator does."""
    info = record["DDBStreamBatchInfo"]
    iterator = stage.aws.streams.get_shard_iterator(
        StreamArn=info["streamArn"],
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=info["startSequenceNumber"],
    )["ShardIterator"]
    page = stage.aws.streams.get_records(ShardIterator=iterator, Limit=1)
    return page["Records"][0]["dynamodb"]["NewImage"]["pk"]["S"]


def test_fc_63_what_the_filter_excludes_never_reaches_the_function(stage: SampleStage) -> None:
    removed, marker = keys(2)
    stage.put_events((removed, "ok"))
    stage.receive_until("done", lambda found: removed in found)
    stage.aws.dynamodb.delete_item(TableName="events", Key={"pk": {"S": removed}})
    stage.put_events((marker, "ok"))
    # A deletion that got through would make the function fail: it has no new image.
    assert stage.receive_until("done", lambda found: marker in found) == [marker]


def test_changed_settings_are_followed(stage: SampleStage) -> None:
    (mapping,) = stage.aws.functions.list_event_source_mappings(FunctionName="relay")[
        "EventSourceMappings"
    ]
    stage.aws.functions.update_event_source_mapping(
        UUID=mapping["UUID"], MaximumRetryAttempts=0, BatchSize=1
    )
    try:
        counts = (_invocations_of_a_poison_record(stage) for _ in range(10))
        assert 1 in counts, "the poller kept the settings that it began with"
    finally:
        stage.aws.functions.update_event_source_mapping(
            UUID=mapping["UUID"], MaximumRetryAttempts=2, BatchSize=100
        )


def _invocations_of_a_poison_record(stage: SampleStage) -> int:
    stage.put_events((f"poison-{uuid.uuid4()}", "raise"))
    (given_up,) = stage.receive_until("given-up", lambda found: len(found) >= 1)
    count: int = json.loads(given_up)["requestContext"]["approximateInvokeCount"]
    return count


def test_the_iterator_age_is_observed(stage: SampleStage) -> None:
    (key,) = keys(1)
    stage.put_events((key, "ok"))
    stage.receive_until("done", lambda found: key in found)
    # The publisher has a period of its own: the age may come after the record.
    until(
        lambda: _functions_with_an_iterator_age(stage),
        lambda names: "relay" in names,
    )


def _functions_with_an_iterator_age(stage: SampleStage) -> list[str]:
    metrics = stage.aws.cloudwatch.list_metrics(Namespace="AWS/Lambda", MetricName="IteratorAge")
    return [dimension["Value"] for m in metrics["Metrics"] for dimension in m["Dimensions"]]
