"""The webhooks queue is fair between merchants: which group each message is sent with."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from infra.local.aws import Aws
from riel import ids
from riel.app import App
from riel.store.queues import Queue
from tests.end_to_end.client import until

ALICE, BOB = {"merchant_id": "alice", "n": 1}, {"merchant_id": "bob", "n": 2}


@pytest.fixture
def groups(app: App) -> list[str | None]:
    """The group of each message that is sent, or None."""
    sent: list[str | None] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.extend(entry.get("MessageGroupId") for entry in params.get("Entries", [params]))

    for operation in ("SendMessage", "SendMessageBatch"):
        app.sqs.meta.events.register(f"provide-client-params.sqs.{operation}", note)
    return sent


def test_a_webhook_is_sent_in_its_merchants_group_whether_alone_delayed_or_in_a_batch(
    app: App, groups: list[str | None]
) -> None:
    app.webhooks_queue.send(ALICE)
    app.webhooks_queue.send(BOB, 900)
    assert app.webhooks_queue.send_many([ALICE, BOB] * 6) == set()

    assert groups == ["alice", "bob"] * 7


def test_a_message_of_nobody_does_not_keep_its_siblings(app: App, groups: list[str | None]) -> None:
    assert app.webhooks_queue.send_many([ALICE, {"n": 3}, {"merchant_id": ""}, BOB]) == set()

    assert groups == ["alice", None, None, "bob"]


def test_payments_and_dead_letters_have_no_groups(app: App, groups: list[str | None]) -> None:
    app.payments_queue.send(ALICE)
    app.payments_queue.send_text("{}")
    app.webhooks_dlq.send(ALICE)

    assert groups == [None, None, None]


def test_a_merchants_id_fits_into_a_group() -> None:
    """At most 128 letters, digits and marks of ASCII."""
    merchant_id = ids.merchant_id("seed")

    assert len(merchant_id) <= 128
    assert merchant_id.isascii()
    assert merchant_id.isprintable()
    assert " " not in merchant_id


def test_the_engine_delays_receives_and_dead_letters_grouped_messages_as_any(
    engine_aws: Aws,
) -> None:
    sqs, name = engine_aws.queues, f"fair-{uuid.uuid4().hex}"
    dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = f'{{"deadLetterTargetArn": "{arn["QueueArn"]}", "maxReceiveCount": "1"}}'
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    queue = Queue(sqs, url, group_by="merchant_id")

    assert queue.send_many([ALICE] * 5) == set()
    queue.send(BOB, 900)
    assert queue.depth() == {"visible": 5, "in_flight": 0, "delayed": 1}
    # One group, and yet all at once: only a FIFO queue would hold the rest back.
    received = queue.receive(0)
    assert [message.attributes["MessageGroupId"] for message in received] == ["alice"] * 5
    until(lambda: queue.receive(0), lambda found: not found)

    until(lambda: Queue(sqs, dead).depth()["visible"], lambda depth: depth == 5)
