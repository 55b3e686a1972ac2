"""One event a hundred times at once, on the engine: the model has no real races."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from infra.local.aws import Aws
from riel import ids
from riel.app import App
from riel.services.process_gateway_event import InboxStep, process_gateway_event
from riel.services.receive_gateway_event import receive_gateway_event
from tests.builders import FakeClock, FakeGateway, create_tables, make_app, store_payment
from tests.gateway_events import SECRET, SECRET_NAME, event_body, sign

PREFIX = "event-races-"
TIMES = 100
TABLES = ("payments", "outbox", "merchants", "limits")


@pytest.fixture
def racing(engine_aws: Aws, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app on tables and queues of its own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    create_tables(engine_aws.dynamodb, PREFIX)
    app = make_app(gateway)
    queues = {
        name: app.sqs.create_queue(QueueName=PREFIX + name)["QueueUrl"]
        for name in ("payments", "gateway-events")
    }
    secrets = app.client("secretsmanager")
    secrets.create_secret(Name=PREFIX + SECRET_NAME, SecretString=SECRET)
    built = make_app(
        gateway,
        FakeClock(),
        **{f"{table}_table": PREFIX + table for table in TABLES},
        payments_queue_url=queues["payments"],
        gateway_events_queue_url=queues["gateway-events"],
        simulator_secret=PREFIX + SECRET_NAME,
    )
    yield built
    for url in queues.values():
        app.sqs.delete_queue(QueueUrl=url)
    secrets.delete_secret(SecretId=PREFIX + SECRET_NAME, ForceDeleteWithoutRecovery=True)
    for table in (*TABLES, "idempotency", "simulator"):
        engine_aws.dynamodb.delete_table(TableName=PREFIX + table)


def test_fc_49_an_event_that_comes_a_hundred_times_at_once_is_processed_once(
    racing: App, gateway: FakeGateway
) -> None:
    stored = store_payment(racing)
    body = event_body(stored.payment_id)
    inbox_id = ids.inbox_id("simulator", "evt_sim_1")
    together = Barrier(TIMES, timeout=60)

    def receive(_: int) -> str:
        together.wait()
        return receive_gateway_event(racing, "simulator", sign(body), body)

    def process(_: int) -> str:
        together.wait()
        return process_gateway_event(racing, InboxStep(inbox_id), receives=1)

    with ThreadPoolExecutor(TIMES) as threads:
        taken = list(threads.map(receive, range(TIMES)))
        done = list(threads.map(process, range(TIMES)))

    assert set(taken) == {f"{inbox_id}: received, sent"}
    # Who comes while another has the payment waits; all others find it done.
    settled = [text for text in done if text.startswith("charge.succeeded: ")]
    assert len(settled) == 1, done
    assert len(gateway.sent) == 1
    after = racing.payments.get(stored.payment_id)
    assert after is not None
    assert [line.status for line in after.history] == ["pending", "processing", "completed"]
    assert sorted(kinds(racing)) == ["payment.completed", "payment.created"]
    assert len(inbox_items(racing)) == 1


def kinds(app: App) -> list[str]:
    items = app.dynamodb.scan(TableName=PREFIX + "outbox")["Items"]
    return [item["type"]["S"] for item in items]


def inbox_items(app: App) -> list[dict[str, Any]]:
    items = app.dynamodb.scan(TableName=PREFIX + "payments")["Items"]
    return [dict(item) for item in items if item["sk"]["S"] == "inbox"]
