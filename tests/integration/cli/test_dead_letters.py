"""`riel dlq` on the engine: look without taking, say why, send back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel.ids import event_id
from riel.store.queues import Queue
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint
from tests.integration.cli.conftest import Riel

OUTBOX = Names("local").table("outbox")
pytestmark = pytest.mark.usefixtures("no_dead_letters")


def dead_letters(platform: LocalPlatform, aws: Aws, name: str) -> Queue:
    return Queue(aws.queues, platform.state.queues[f"{name}-dlq"])


def wait_for_one(queue: Queue) -> None:
    until(queue.depth, lambda depth: depth["visible"] == 1, 60)


def test_fc_67_a_poisoned_payment_is_shown_with_its_reason_and_sent_back(
    riel: Riel, merchant: Merchant, platform: LocalPlatform, engine_aws: Aws
) -> None:
    queue = dead_letters(platform, engine_aws, "payments")
    payment_id = merchant.create("tok_poison")
    wait_for_one(queue)

    # Looking takes nothing: a second look sees the same, and it is visible to others at once.
    (letter,) = riel.json("dlq", "list")["data"]
    assert riel.json("dlq", "list")["data"][0]["message_id"] == letter["message_id"]
    assert queue.depth() == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert (letter["queue"], letter["payment_id"]) == ("payments", payment_id)
    assert letter["reason"].startswith("psp_unmapped_status: ")
    screen = riel("dlq", "show", "payments")
    for words in (payment_id, "processing", "psp_unmapped_status"):
        assert words in screen
    assert payment_id in riel("dlq", "list")

    # What is held back stays.
    assert riel.json("dlq", "redrive", "payments", "--older-than", "1h")["younger"] == 1
    assert riel.json("dlq", "redrive", "payments", "--dry-run")["redriven"] == 1
    assert queue.depth()["visible"] == 1

    # What another one looks at is told of: it is not gone.
    (held,) = queue.receive(60, limit=1)
    assert riel("dlq", "redrive", "payments").startswith(
        "Hidden of payments, as somebody looks at them: 1."
    )
    assert riel("dlq", "list").startswith("Hidden, as somebody looks at them: 1.")
    queue.give_back(held.receipt, 0)

    merchant.force(payment_id, "tok_ok")
    assert riel("dlq", "redrive", "payments") == "payments: 1 sent back.\n"
    assert merchant.wait_final(payment_id)["status"] == "completed"
    assert len(merchant.charges(payment_id)) == 1
    assert riel("dlq", "redrive", "payments") == "No dead letters of payments.\n"
    assert riel("dlq", "show", "payments") == "No dead letters of payments.\n"


def test_fc_67_a_poison_that_is_not_healed_is_sent_back_once_in_a_run(
    riel: Riel, merchant: Merchant, platform: LocalPlatform, engine_aws: Aws
) -> None:
    queue = dead_letters(platform, engine_aws, "payments")
    payment_id = merchant.create("tok_poison")
    wait_for_one(queue)

    assert riel.json("dlq", "redrive", "payments")["redriven"] == 1
    wait_for_one(queue)

    assert merchant.get(payment_id)["attention"] == "dead_letter"
    merchant.force(payment_id, "tok_declined")
    riel("dlq", "redrive", "payments")
    assert merchant.wait_final(payment_id)["status"] == "failed"


def test_a_webhook_out_of_attempts_starts_a_new_run(
    riel: Riel, merchant: Merchant, platform: LocalPlatform, engine_aws: Aws, endpoint: Endpoint
) -> None:
    endpoint.statuses = [410]
    payment_id = merchant.create(webhook_url=endpoint.url)
    wait_for_one(dead_letters(platform, engine_aws, "webhooks"))

    (letter,) = riel.json("dlq", "show", "webhooks")["data"]
    assert letter["payment_id"] == payment_id
    assert letter["reason"] == "HTTP 410, tried once"
    about = f"delivery {event_id(payment_id, 3)}, payment.completed to {endpoint.url}"
    assert letter["about"] == about
    assert about in riel("dlq", "show", "webhooks")
    assert event_id(payment_id, 3) in riel("dlq", "list")

    assert riel.json("dlq", "redrive", "webhooks")["redriven"] == 1

    def delivery() -> dict[str, Any]:
        shown: dict[str, Any] = riel.json("payments", "show", payment_id)["deliveries"][0]
        return shown

    done = until(delivery, lambda found: found["state"] == "delivered")
    assert [attempt["status"] for attempt in done["attempts"]] == [410, 200]
    assert riel.json("dlq", "show", "webhooks")["data"] == []


@pytest.mark.parametrize("body", ["?", "[]", "{}"])
def test_a_message_that_nobody_understands_is_told_and_left(
    riel: Riel, platform: LocalPlatform, engine_aws: Aws, body: str
) -> None:
    queue = dead_letters(platform, engine_aws, "webhooks")
    engine_aws.queues.send_message(QueueUrl=queue.url, MessageBody=body)

    (letter,) = riel.json("dlq", "show", "webhooks")["data"]
    done = riel.json("dlq", "redrive", "webhooks", code=1)

    assert letter["reason"].startswith("malformed_message: ")
    assert [left["message_id"] for left in done["left"]] == [letter["message_id"]]
    assert queue.depth()["visible"] == 1
    (message,) = queue.receive(30)
    queue.delete(message.receipt)


def test_what_the_relay_gave_up_on_is_named_by_its_key(
    riel: Riel, platform: LocalPlatform, engine_aws: Aws
) -> None:
    queue = dead_letters(platform, engine_aws, "outbox-relay")
    poison = {"pk": {"S": "2026-04-17T12:01#00"}, "sk": {"S": "poison-of-riel"}, "type": {"S": "?"}}
    engine_aws.dynamodb.put_item(TableName=OUTBOX, Item=poison)
    wait_for_one(queue)

    (letter,) = riel.json("dlq", "show", "outbox-relay")["data"]
    assert letter["reason"].startswith("RetryAttemptsExhausted: ")
    assert "poison-of-riel" in letter["reason"]

    done = riel.json("dlq", "redrive", "outbox-relay", code=1)
    assert "poison-of-riel" in done["left"][0]["reason"]
    (message,) = queue.receive(30)
    queue.delete(message.receipt)


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_what_the_relay_can_read_now_is_published_from_the_stream_or_the_outbox(
    riel: Riel,
    merchant: Merchant,
    platform: LocalPlatform,
    engine_aws: Aws,
    endpoint: Endpoint,
    is_forgotten: bool,
) -> None:
    """A batch that was given up for a passing reason, such as a queue that throttled."""
    payment_id = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(payment_id)
    until(lambda: len(endpoint.received), lambda count: count == 1)
    queue = dead_letters(platform, engine_aws, "outbox-relay")
    poison = {"pk": {"S": "2026-04-17#00"}, "sk": {"S": payment_id}, "type": {"S": "?"}}
    engine_aws.dynamodb.put_item(TableName=OUTBOX, Item=poison)
    wait_for_one(queue)
    (message,) = queue.receive(30)
    queue.delete(message.receipt)
    body = _notice_of(engine_aws, message.body, payment_id)
    if is_forgotten:
        body = re.sub('/stream/[^"]*', "/stream/2020-01-01T00:00:00.000", body)
    engine_aws.queues.send_message(QueueUrl=queue.url, MessageBody=body)

    (letter,) = riel.json("dlq", "list")["data"]
    done = riel.json("dlq", "redrive", "outbox-relay")

    assert (payment_id in letter["payment_ids"]) is not is_forgotten
    assert (done["redriven"], done["left"]) == (1, [])
    assert len(merchant.charges(payment_id)) == 1


def _notice_of(aws: Aws, notice: str, payment_id: str) -> str:
    """Point a failure record at the stream records of a payment."""
    told: dict[str, Any] = json.loads(notice)
    info = told["DDBStreamBatchInfo"]
    iterator = aws.streams.get_shard_iterator(
        StreamArn=info["streamArn"], ShardId=info["shardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = aws.streams.get_records(ShardIterator=iterator)["Records"]
    ours = [
        record["dynamodb"]["SequenceNumber"]
        for record in records
        if record["dynamodb"].get("NewImage", {}).get("payment_id", {}).get("S") == payment_id
    ]
    info["startSequenceNumber"], info["endSequenceNumber"] = ours[0], ours[0]
    return json.dumps(told)
