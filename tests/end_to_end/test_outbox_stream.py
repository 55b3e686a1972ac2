"""The outbox stream on the engine: poison, repeats, disorder, deletions."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel.store.queues import Queue
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint

NAMES = Names("local")
TABLE = NAMES.table("outbox")


def invoke_relay(aws: Aws, records: list[dict[str, Any]]) -> dict[str, Any]:
    answer = aws.functions.invoke(
        FunctionName=NAMES.function("outbox-relay"),
        Payload=json.dumps({"Records": records}).encode(),
    )
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


def outbox_items(aws: Aws, payment_id: str) -> list[dict[str, Any]]:
    pages = aws.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    found = [i for i in items if i.get("payment_id", {}).get("S") == payment_id]
    return sorted(found, key=lambda item: int(item["sequence"]["N"]))


def stream_record(item: dict[str, Any], number: int, name: str = "INSERT") -> dict[str, Any]:
    change = {"SequenceNumber": str(number), "Keys": {k: item[k] for k in ("pk", "sk")}}
    if name == "INSERT":
        change["NewImage"] = item
    return {"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change}


def test_fc_59_a_poison_record_is_isolated_while_the_rest_flows(
    platform: LocalPlatform, merchant: Merchant, engine_aws: Aws
) -> None:
    failures = Queue(engine_aws.queues, platform.state.queues["outbox-relay-dlq"])
    poison = {"pk": {"S": "2026-04-17T12:00#00"}, "sk": {"S": "poison"}, "type": {"S": "?"}}

    before = [merchant.create() for _ in range(5)]
    engine_aws.dynamodb.put_item(TableName=TABLE, Item=poison)
    after = [merchant.create() for _ in range(5)]

    for payment_id in (*before, *after):
        assert merchant.wait_final(payment_id)["status"] == "completed"
        assert len(merchant.charges(payment_id)) == 1
    until(failures.depth, lambda depth: depth["visible"] == 1)
    (message,) = failures.receive(30)
    failures.delete(message.receipt)
    record = json.loads(message.body)
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1, "the poison alone, without neighbours"
    assert record["DDBStreamBatchInfo"]["streamArn"].startswith("arn:aws:dynamodb:")
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"


def test_fc_61_and_62_a_relay_that_dies_before_its_checkpoint_doubles_nothing_in_any_order(
    merchant: Merchant, engine_aws: Aws, endpoint: Endpoint
) -> None:
    payment_id = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(payment_id)
    until(lambda: len(endpoint.received), lambda count: count == 1)
    items = outbox_items(engine_aws, payment_id)
    assert [item["type"]["S"] for item in items] == ["payment.created", "payment.completed"]

    # What AWS does after a lost checkpoint: the same records again, here also the wrong way round.
    again = [stream_record(item, n) for n, item in enumerate(items, start=1)]
    assert invoke_relay(engine_aws, again) == {"batchItemFailures": []}
    assert invoke_relay(engine_aws, again[::-1]) == {"batchItemFailures": []}

    # A later payment has passed every hop behind the repeats, so they were handled before it.
    witness = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(witness)
    until(lambda: [b["data"]["payment_id"] for b in endpoint.bodies()], lambda ids: witness in ids)
    time.sleep(1)
    assert len(merchant.charges(payment_id)) == 1
    assert len(merchant.get(payment_id)["history"]) == 3
    told = [body["data"]["payment_id"] for body in endpoint.bodies()]
    assert told.count(payment_id) == 1


@pytest.mark.parametrize(
    "identity", [None, {"type": "Service", "principalId": "dynamodb.amazonaws.com"}]
)
def test_fc_63_deletions_are_not_published(
    merchant: Merchant, engine_aws: Aws, endpoint: Endpoint, identity: dict[str, str] | None
) -> None:
    """By an operator and by TTL. The engine's TTL writes no stream record, so the record that
    AWS would write is given to the deployed function; the deployed filter sees a real deletion."""
    payment_id = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(payment_id)
    until(lambda: len(endpoint.received), lambda count: count == 1)
    for number, item in enumerate(outbox_items(engine_aws, payment_id), start=1):
        removal = stream_record(item, number, "REMOVE")
        if identity:
            removal["userIdentity"] = identity
        assert invoke_relay(engine_aws, [removal]) == {"batchItemFailures": []}
        key = {"pk": item["pk"], "sk": item["sk"]}
        engine_aws.dynamodb.delete_item(TableName=TABLE, Key=key)

    witness = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(witness)
    until(lambda: len(endpoint.received), lambda count: count == 2)
    assert len(merchant.charges(payment_id)) == 1
