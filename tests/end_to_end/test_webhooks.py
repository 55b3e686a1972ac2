"""Merchants' webhooks on the whole template: tried again, given up on, sent again on demand."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from infra.local.aws import Aws
from infra.names import Names
from riel.domain.events import TOLD_TO_MERCHANTS
from riel.webhooks.schedule import JITTER
from tests.builders import WEBHOOK_SECRET
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint, running_endpoint

NAMES = Names("local")
pytestmark = pytest.mark.usefixtures("no_dead_letters")


def note_times(endpoint: Endpoint) -> list[float]:
    """When each webhook comes from now on, by the machine's own steady clock."""
    times: list[float] = []

    class Noting(list[tuple[dict[str, str], bytes]]):
        def append(self, item: tuple[dict[str, str], bytes]) -> None:
            times.append(time.monotonic())
            super().append(item)

    endpoint.received = Noting()
    return times


@pytest.fixture
def sick() -> Iterator[Endpoint]:
    """An endpoint of its own for each test, for what is held against it stays with its URL."""
    with running_endpoint() as endpoint:
        yield endpoint


def deliveries(merchant: Merchant, payment_id: str) -> list[dict[str, Any]]:
    answer = merchant.http.get(f"/api/v1/payments/{payment_id}/deliveries")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def wait_for(merchant: Merchant, payment_id: str, state: str) -> dict[str, Any]:
    """Wait until the payment's only delivery is in a state, and return it."""

    def is_there(found: list[dict[str, Any]]) -> bool:
        return [delivery["state"] for delivery in found] == [state]

    (delivery,) = until(lambda: deliveries(merchant, payment_id), is_there)
    assert isinstance(delivery, dict)
    return delivery


def redeliver(merchant: Merchant, payment_id: str, delivery: dict[str, Any]) -> None:
    path = f"/api/v1/payments/{payment_id}/deliveries/{delivery['delivery_id']}/redeliver"
    answer = merchant.http.post(path, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"delivery_id": delivery["delivery_id"], "state": "pending"}


def dead_letters(aws: Aws, payment_id: str) -> list[dict[str, Any]]:
    """The webhooks' dead letters about a payment; they stay where they are."""
    url = aws.queues.get_queue_url(QueueName=NAMES.dead_letter_queue("webhooks"))["QueueUrl"]
    answer = aws.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
    bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    return [body for body in bodies if body["payment_id"] == payment_id]


def test_fc_71_an_endpoint_that_answers_500_500_200_gets_three_attempts_with_one_id(
    merchant: Merchant, sick: Endpoint
) -> None:
    sick.statuses = [500, 500]
    times = note_times(sick)

    payment_id = merchant.create(webhook_url=sick.url)
    delivery = wait_for(merchant, payment_id, "delivered")

    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 500, 200]
    assert len(sick.received) == 3
    assert {headers["webhook-id"] for headers, _ in sick.received} == {delivery["delivery_id"]}
    assert len({body for _, body in sick.received}) == 1
    for headers, body in sick.received:
        Verifier(WEBHOOK_SECRET).verify(body, headers)
    stamps = [int(headers["webhook-timestamp"]) for headers, _ in sick.received]
    assert stamps == sorted(set(stamps)), "each attempt is stamped anew"
    first, second = (after - before for before, after in itertools.pairwise(times))
    assert first >= 1 * (1 - JITTER)
    assert second >= 2 * (1 - JITTER)


def test_fc_71_410_stops_the_endpoint_and_both_deliveries_stay_visible(
    merchant: Merchant, sick: Endpoint, engine_aws: Aws
) -> None:
    sick.statuses = [410]

    gone = merchant.create(webhook_url=sick.url)
    delivery = wait_for(merchant, gone, "failed")
    letters = until(lambda: dead_letters(engine_aws, gone), bool)
    unsent = merchant.create(webhook_url=sick.url)
    stopped = wait_for(merchant, unsent, "failed")

    assert delivery["failure"] == "gone"
    assert [attempt["status"] for attempt in delivery["attempts"]] == [410]
    assert [letter["event_id"] for letter in letters] == [delivery["delivery_id"]]
    assert (stopped["failure"], stopped["attempts"]) == ("endpoint_stopped", [])
    assert len(sick.received) == 1, "the second payment was not sent to it"


def test_out_of_attempts_a_delivery_is_a_dead_letter_and_is_sent_again_on_demand(
    merchant: Merchant, sick: Endpoint, engine_aws: Aws
) -> None:
    sick.statuses = [500] * 5

    payment_id = merchant.create(webhook_url=sick.url)
    failed = wait_for(merchant, payment_id, "failed")
    until(lambda: dead_letters(engine_aws, payment_id), bool)
    redeliver(merchant, payment_id, failed)
    delivered = wait_for(merchant, payment_id, "delivered")

    assert failed["failure"] == "out_of_attempts"
    assert [attempt["status"] for attempt in failed["attempts"]] == [500] * 5
    assert [attempt["status"] for attempt in delivered["attempts"]] == [500] * 5 + [200]
    assert {headers["webhook-id"] for headers, _ in sick.received} == {failed["delivery_id"]}
    assert len({body for _, body in sick.received}) == 1
    assert merchant.get(payment_id)["status"] == "completed"


def test_a_wait_of_an_hour_stands_in_the_index_and_not_in_the_queue(
    merchant: Merchant, sick: Endpoint, engine_aws: Aws
) -> None:
    sick.statuses, sick.headers = [503], {"Retry-After": "3600"}

    payment_id = merchant.create(webhook_url=sick.url)
    (delivery,) = until(
        lambda: deliveries(merchant, payment_id), lambda found: found and found[0]["attempts"]
    )

    assert delivery["state"] == "pending"
    assert due_in_index(engine_aws, payment_id) == [delivery["next_attempt_at"]]
    # Other tests' copies wait for seconds, this one would for an hour.
    until(lambda: depths(engine_aws), lambda found: set(found.values()) == {"0"})


def depths(aws: Aws) -> dict[str, str]:
    """What is visible, in flight and delayed in the webhooks queue."""
    told = aws.queues.get_queue_attributes(
        QueueUrl=aws.queues.get_queue_url(QueueName=NAMES.queue("webhooks"))["QueueUrl"],
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )
    return {str(name): depth for name, depth in told["Attributes"].items()}


def due_in_index(aws: Aws, payment_id: str) -> list[str]:
    """When the payment's webhooks are due, by the index that the sweeper reads."""
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=NAMES.table("payments"), IndexName="due"
    )
    entries = [item for page in pages for item in page["Items"]]
    return [
        item["due_sk"]["S"].partition("#")[0]
        for item in entries
        if item["due_pk"]["S"].startswith("webhooks#") and payment_id in item["due_sk"]["S"]
    ]


def test_every_type_of_the_contract_is_told_once_with_its_sequence(
    merchant: Merchant, endpoint: Endpoint
) -> None:
    """Eight types from six payments, each signed, with the fields that the contract names."""
    url = endpoint.url
    merchant.create("tok_declined", webhook_url=url)
    merchant.create("tok_wrong_amount", webhook_url=url)
    merchant.create("tok_expires_soon", method="oxxo", webhook_url=url)
    canceled = merchant.create(None, method="spei", webhook_url=url)
    merchant.wait(canceled, lambda found: found["status"] == "awaiting_payment")
    path = f"/api/v1/payments/{canceled}/cancel"
    assert merchant.http.post(path, headers={"Idempotency-Key": "c"}).status_code == 202
    for token in ("tok_ok", "tok_refund_declined"):
        payment_id = merchant.create(token, webhook_url=url, metadata={"order": "1"})
        merchant.wait_final(payment_id)
        assert merchant.refund(payment_id, "40.00", "r").status_code == 202

    expected = {
        ("payment.failed", "failed", 3),
        ("payment.in_review", "in_review", 3),
        ("payment.awaiting_payment", "awaiting_payment", 3),
        ("payment.expired", "expired", 4),
        ("payment.canceled", "canceled", 4),
        ("payment.completed", "completed", 3),
        ("refund.completed", "completed", 3),
        ("refund.failed", "failed", 3),
    }
    until(lambda: {facts(body) for body in endpoint.bodies()}, lambda seen: seen >= expected)

    assert {facts(body) for body in endpoint.bodies()} == expected
    assert {kind for kind, _, _ in expected} == TOLD_TO_MERCHANTS
    by_id: dict[str, set[bytes]] = {}
    for headers, body in list(endpoint.received):
        event = Verifier(WEBHOOK_SECRET).verify(body, headers)
        assert {"status", "processed_at", "amount", "currency", "sequence"} <= event["data"].keys()
        by_id.setdefault(headers["webhook-id"], set()).add(body)
    # Two payments completed and two vouchers waited; the other six types came once each.
    assert len(by_id) == 10
    assert all(len(bodies) == 1 for bodies in by_id.values())


def facts(body: dict[str, Any]) -> tuple[str, str, int]:
    data = body["data"]
    return body["type"], data["status"], data["sequence"]
