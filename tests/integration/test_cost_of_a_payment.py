"""What one payment does on AWS, counted from the real calls, against the table in the docs.

`docs/cost-of-a-payment.md` is the budget: a change that costs a unit more, or less, has to say so
there. Run with `--write-costs` to write the table that was measured.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.stages import PROD
from riel import ids
from riel.app import App
from riel.clock import utc_now
from riel.deadline import Deadline
from riel.services.queue_room import QueueRoom
from riel.services.sweep import sweep
from riel.services.sweep_due import sweep_webhooks
from riel.services.webhook_message import Webhook
from tests.builders import (
    API_KEY,
    NOON,
    FakeClock,
    FakeGateway,
    create_tables,
    lane_at,
    make_app,
    seed_demo,
)
from tests.endpoint import Endpoint, running_endpoint
from tests.handlers import Context, Handler, load_handler

EVENTS = Path(__file__).parents[2] / "events"
DOCUMENT = Path(__file__).parents[2] / "docs/cost-of-a-payment.md"
PREFIX = "cost-"
STEPS = ("api", "outbox_relay", "processor", "webhook_sender")
# Dollars for a million, us-east-1, on demand (the price pages, November 2026).
PRICES = {"Lambda": 0.20, "write units": 0.625, "read units": 0.125, "SQS requests": 0.40}
HTTP_API_PRICE = 1.00
COLUMNS = ("Lambda", "DynamoDB calls", "write units", "read units", "SQS requests")


@dataclass
class Meter:
    """Counts the calls of one client: units as DynamoDB reports them, requests as SQS bills."""

    counts: Counter[str] = field(default_factory=Counter)

    def watch(self, client: Any) -> None:
        events = client.meta.events
        if client.meta.service_model.service_name == "dynamodb":
            events.register("before-parameter-build.dynamodb.*", self._ask_for_units)
            events.register("after-call.dynamodb.*", self._count_units)
        else:
            events.register("after-call.sqs.*", self._count_requests)

    def _ask_for_units(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _count_units(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.counts["DynamoDB calls"] += 1
        consumed = parsed.get("ConsumedCapacity", [])
        writes = model.name in ("TransactWriteItems", "PutItem", "UpdateItem")
        for units in consumed if isinstance(consumed, list) else [consumed]:
            kind = "write units" if writes else "read units"
            self.counts[kind] += units["CapacityUnits"]

    def _count_requests(self, **_: Any) -> None:
        self.counts["SQS requests"] += 1


@dataclass
class Pipeline:
    """The four functions in this process, over tables and queues of their own on the engine."""

    app: App
    handlers: dict[str, Handler]
    meters: dict[str, Meter]
    apps: dict[str, App]

    def call(self, step: str, event: dict[str, Any]) -> dict[str, Any]:
        self.meters[step].counts["Lambda"] += 1
        answer = self.handlers[step](event, Context())
        assert answer.get("batchItemFailures", []) == [], step
        return answer

    def post(self, key: str, url: str) -> None:
        event = json.loads((EVENTS / "api/create_payment.json").read_text())
        event["headers"] |= {"idempotency-key": key, "x-api-key": API_KEY}
        event["body"] = json.dumps({**json.loads(event["body"]), "webhook_url": url})
        assert self.call("api", event)["statusCode"] == 202

    def refund(self, payment_key: str, key: str) -> None:
        event = json.loads((EVENTS / "api/create_refund.json").read_text())
        payment_id = ids.payment_id("demo", False, payment_key)
        path = f"/api/v1/payments/{payment_id}/refunds"
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
        event["headers"] |= {"idempotency-key": key, "x-api-key": API_KEY}
        assert self.call("api", event)["statusCode"] == 202

    def relay(self, event_type: str) -> None:
        items = self.app.dynamodb.scan(TableName=PREFIX + "outbox", ConsistentRead=True)["Items"]
        chosen = [item for item in items if item["type"]["S"] == event_type]
        records = [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(n), "NewImage": item}}
            for n, item in enumerate(chosen)
        ]
        self.call("outbox_relay", {"Records": records})

    def consume(self, step: str, queue: Any) -> None:
        messages = queue.receive(30)
        self.work(step, [message.body for message in messages])
        for message in messages:
            queue.delete(message.receipt)

    def work(self, step: str, bodies: list[str]) -> None:
        (template,) = json.loads((EVENTS / f"{step}/{EXAMPLE[step]}.json").read_text())["Records"]
        records = [{**template, "messageId": str(n), "body": b} for n, b in enumerate(bodies)]
        self.call(step, {"Records": records})
        # What the mapping does on AWS: one receive and one delete request for a batch.
        self.meters[step].counts["SQS requests"] += 2


EXAMPLE = {"processor": "one_payment", "webhook_sender": "first_attempt"}


@pytest.fixture
def pipeline(engine_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    create_tables(engine_aws.dynamodb, PREFIX)
    names = ("payments", "outbox", "merchants", "idempotency", "limits")
    tables = {f"{name}_table": PREFIX + name for name in names}
    queues = {
        f"{name}_url": engine_aws.queues.create_queue(QueueName=PREFIX + name.replace("_", "-"))[
            "QueueUrl"
        ]
        for name in ("payments_queue", "webhooks_queue", "webhooks_dlq")
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    settings: dict[str, Any] = {**tables, **queues}
    app = make_app(**settings)
    app.clock = utc_now
    seed_demo(app)
    environment = {f"RIEL_{k.upper()}": v for k, v in (tables | queues).items()}
    environment |= {"RIEL_SIMULATOR_URL": "http://127.0.0.1:9", "RIEL_LOOPBACK_WEBHOOKS": "true"}
    environment["RIEL_ROUTES"] = app.config.routes
    environment["RIEL_WEBHOOK_KEY"] = app.config.webhook_key
    environment["RIEL_WEBHOOK_RETRY_SECONDS"] = ",".join(map(str, PROD.webhook_retry_seconds))
    started = utc_now()
    handlers: dict[str, Handler] = {}
    meters: dict[str, Meter] = {}
    apps: dict[str, App] = {}
    for step in STEPS:
        handlers[step], module = load_handler(step, environment, monkeypatch)
        meters[step] = Meter()
        inner = apps[step] = module._app
        inner.clock = lambda: started  # what is cached for seconds stays, on any machine
        inner.random = Random(7)
        inner.__dict__["gateways"] = {"simulator": FakeGateway()}
        for client in (inner.dynamodb, inner.sqs):
            meters[step].watch(client)
    yield Pipeline(app, handlers, meters, apps)
    for name in (*tables.values(), PREFIX + "simulator"):
        engine_aws.dynamodb.delete_table(TableName=name)
    for url in queues.values():
        engine_aws.queues.delete_queue(QueueUrl=url)


def begin_anew(pipeline: Pipeline) -> None:
    """Forget what was counted, and the events of what came before."""
    for item in pipeline.app.dynamodb.scan(TableName=PREFIX + "outbox")["Items"]:
        key = {"pk": item["pk"], "sk": item["sk"]}
        pipeline.app.dynamodb.delete_item(TableName=PREFIX + "outbox", Key=key)
    for meter in pipeline.meters.values():
        meter.counts.clear()


def lease_enough(pipeline: Pipeline, endpoint: Endpoint) -> None:
    """Send so many requests that the next lease of the merchant's limit lasts to the end."""
    for n in range(31):  # leases of 1, 2, 4, 8 and 16 requests
        pipeline.post(f"lease-{n}", endpoint.url)


def run(
    pipeline: Pipeline, endpoint: Endpoint, payments: int, name: str
) -> dict[str, Counter[str]]:
    """Take payments through every step in batches, and return what each step did."""
    begin_anew(pipeline)
    for n in range(payments):
        pipeline.post(f"{name}-{n}", endpoint.url)
    pipeline.relay("payment.created")
    pipeline.consume("processor", pipeline.app.payments_queue)
    pipeline.relay("payment.completed")
    pipeline.consume("webhook_sender", pipeline.app.webhooks_queue)
    return {step: Counter(meter.counts) for step, meter in pipeline.meters.items()}


def rows(alone: dict[str, Counter[str]], ten: dict[str, Counter[str]]) -> list[str]:
    found = []
    for step in STEPS:
        cells = [f"{alone[step][c]:g} · {ten[step][c] / 10:g}" for c in COLUMNS]
        found.append(f"| {step} | {' | '.join(cells)} |")
    sums = [
        f"{sum(alone[s][c] for s in STEPS):g} · {sum(ten[s][c] for s in STEPS) / 10:g}"
        for c in COLUMNS
    ]
    return [*found, f"| **together** | {' | '.join(f'**{cell}**' for cell in sums)} |"]


def dollars(counts: dict[str, Counter[str]], payments: int) -> float:
    """What a million payments cost, as far as it is counted here."""
    return HTTP_API_PRICE + sum(
        counts[step][column] / payments * price
        for step in STEPS
        for column, price in PRICES.items()
    )


def test_a_payment_costs_what_the_document_says(
    pipeline: Pipeline, endpoint: Endpoint, request: pytest.FixtureRequest
) -> None:
    lease_enough(pipeline, endpoint)
    run(pipeline, endpoint, 1, "warm")  # merchants are cached for 30 seconds
    run(pipeline, endpoint, 1, "warmer")  # what is asked of a host once it is proven as well
    endpoint.received.clear()
    alone = run(pipeline, endpoint, 1, "alone")
    ten = run(pipeline, endpoint, 10, "ten")
    assert len(endpoint.received) == 11

    measured = rows(alone, ten)

    text = DOCUMENT.read_text()
    documented = re.findall(
        r"^\| (?:api|outbox_relay|processor|webhook_sender|\*\*together).*$", text, re.M
    )
    if request.config.getoption("--write-costs"):
        for old, new in zip(documented, measured, strict=True):
            text = text.replace(old, new)
        DOCUMENT.write_text(text)
    else:
        assert measured == documented
        together = f"| **${dollars(ten, 10):.2f}** | **${dollars(alone, 1):.2f}** |"
        assert together in text


def test_a_refund_costs_what_the_document_says(
    pipeline: Pipeline, endpoint: Endpoint, request: pytest.FixtureRequest
) -> None:
    lease_enough(pipeline, endpoint)
    run(pipeline, endpoint, 2, "to-refund")
    refund_one(pipeline, "to-refund-0")  # what is cached is cached from here on
    measured = refund_one(pipeline, "to-refund-1")

    row = f"| a refund together | {' | '.join(f'{measured[column]:g}' for column in COLUMNS)} |"

    text = DOCUMENT.read_text()
    if request.config.getoption("--write-costs"):
        DOCUMENT.write_text(re.sub(r"^\| a refund together .*$", row, text, flags=re.M))
    else:
        assert row in text


def test_a_webhook_that_is_not_the_usual_one_costs_what_the_document_says(
    pipeline: Pipeline, endpoint: Endpoint, request: pytest.FixtureRequest
) -> None:
    lease_enough(pipeline, endpoint)
    run(pipeline, endpoint, 1, "warm")
    with running_endpoint() as new:
        first = run(pipeline, new, 1, "new")["webhook_sender"]
    failed = fail_for_three_days(pipeline, endpoint)

    rows = {"the first to a host": first, "one that fails for three days": failed}
    text = DOCUMENT.read_text()
    for what, counts in rows.items():
        measured = [counts[column] for column in COLUMNS]
        (row,) = re.findall(rf"^\| {what} \| (.*) \|$", text, re.M)
        if request.config.getoption("--write-costs"):
            text = text.replace(row, " | ".join(f"{figure:g}" for figure in measured))
        else:
            # A latency of one digit more can bring an item over its next kilobyte.
            assert [float(cell) for cell in row.split("|")] == pytest.approx(measured, rel=0.05)
    if request.config.getoption("--write-costs"):
        DOCUMENT.write_text(text)


def test_an_idle_minute_of_the_sweeper_costs_what_the_document_says(
    app: App, clock: FakeClock
) -> None:
    for age in app.config.sweep_ages_seconds:
        reached = NOON - timedelta(seconds=age)
        assert app.watermarks.move(age, None, lane_at(app, reached))
    clock.advance(60)
    queries: list[str] = []
    events = app.dynamodb.meta.events
    events.register("before-call.dynamodb.Query", lambda **_: queries.append("one"))

    assert sweep(app, seconds=60).lag_seconds == 0

    assert f"{len(queries)} queries a minute" in " ".join(DOCUMENT.read_text().split())


def fail_for_three_days(pipeline: Pipeline, endpoint: Endpoint) -> Counter[str]:
    """Let a webhook fail through the schedule of prod; return what the sender and sweeper did."""
    endpoint.statuses = [500] * 14
    counts = run(pipeline, endpoint, 1, "failing")["webhook_sender"]
    payment_id = ids.payment_id("demo", False, "failing-0")
    sender, sweeper = pipeline.meters["webhook_sender"], Meter()
    sender.counts.clear()
    sweeper.watch(pipeline.app.dynamodb)
    sweeper.watch(pipeline.app.sqs)
    while True:
        (delivery,) = pipeline.app.deliveries.of_payment(payment_id)
        if delivery.due_at is None:
            break
        now = delivery.next_at or delivery.due_at
        pipeline.apps["webhook_sender"].clock = pipeline.app.clock = FakeClock(now)
        if delivery.due_at == delivery.next_at:
            sweep_webhooks(pipeline.app, QueueRoom(), Deadline(60))
        pipeline.work("webhook_sender", [json.dumps(Webhook.of_delivery(delivery).fields())])
    assert (delivery.failure, len(delivery.attempts)) == ("out_of_attempts", 14)
    # The sweeper's queries are what it does every minute anyway; so is its look at the queue.
    moved = Counter({"write units": sweeper.counts["write units"]})
    return counts + sender.counts + moved


def refund_one(pipeline: Pipeline, payment_key: str) -> Counter[str]:
    """Take one refund through every step, and return what all of them did."""
    begin_anew(pipeline)
    pipeline.refund(payment_key, f"refund-{payment_key}")
    pipeline.relay("refund.created")
    pipeline.consume("processor", pipeline.app.payments_queue)
    pipeline.relay("refund.completed")
    pipeline.consume("webhook_sender", pipeline.app.webhooks_queue)
    return sum((meter.counts for meter in pipeline.meters.values()), Counter[str]())
