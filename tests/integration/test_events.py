"""Every envelope in `events/` goes through its function's real handler."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.events import payment_moved
from riel.gateways.base import Charged
from riel.services.create_refund import refund_late_payment
from riel.services.read_refunds import refund_view
from riel.services.webhook_message import Webhook
from riel.store.deliveries import Attempt
from riel.store.inbox import InboxEvent, KeptBody
from tests.builders import NOON, FakeClock, FakeGateway, store_payment
from tests.handlers import Context, Handler, load_handler
from tests.payments import store_completed

EVENTS = Path(__file__).parents[2] / "events"
KEY = "order-123-attempt-1"
PAYMENT_ID = ids.payment_id("demo", False, KEY)
GATEWAY_EVENT_ID = "evt_sim_5d41402abc4b2a76b9719d911017c592"
GATEWAY_EVENT = InboxEvent(
    inbox_id=ids.inbox_id("simulator", GATEWAY_EVENT_ID),
    gateway="simulator",
    event_id=GATEWAY_EVENT_ID,
    received_at=NOON,
    body=KeptBody("0" * 64, 0),
    type="charge.succeeded",
    payment_id=PAYMENT_ID,
)
Answer = dict[str, Any]
Check = Callable[[Answer, App], None]


def answers(status: int, code: str = "") -> Check:
    def check(answer: Answer, _: App) -> None:
        assert answer["statusCode"] == status
        if code:
            assert json.loads(answer["body"])["code"] == code
            assert answer["headers"]["Content-Type"] == "application/problem+json"

    return check


def created(answer: Answer, app: App) -> None:
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"])["payment_id"] == PAYMENT_ID
    assert answer["headers"]["Location"] == f"/api/v1/payments/{PAYMENT_ID}"
    assert answer["headers"]["X-Request-Id"] == "JKJaXmPLvHcESHA="
    assert app.payments.get(PAYMENT_ID) is not None


def listed(answer: Answer, _: App) -> None:
    page = json.loads(answer["body"])
    assert [payment["id"] for payment in page["data"]] == [PAYMENT_ID]
    assert (page["has_more"], page["next_cursor"]) == (False, None)


def canceled(answer: Answer, app: App) -> None:
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {"payment_id": PAYMENT_ID, "status": "canceled"}


def refunded(answer: Answer, app: App) -> None:
    assert answer["statusCode"] == 202
    refund_id = json.loads(answer["body"])["refund_id"]
    assert [refund.refund_id for refund in app.refunds.of_payment(PAYMENT_ID)] == [refund_id]


def one_refund(answer: Answer, app: App) -> None:
    assert answer["statusCode"] == 200
    (refund,) = app.refunds.of_payment(PAYMENT_ID)
    assert json.loads(answer["body"]) == refund_view(refund)


def one_delivery(answer: Answer, _: App) -> None:
    assert answer["statusCode"] == 200
    (delivery,) = json.loads(answer["body"])["data"]
    assert delivery["delivery_id"] == ids.event_id(PAYMENT_ID, 3)


def sent_again(answer: Answer, app: App) -> None:
    event_id = ids.event_id(PAYMENT_ID, 3)
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {"delivery_id": event_id, "state": "pending"}
    assert app.webhooks_queue.depth()["visible"] == 1


def found(answer: Answer, _: App) -> None:
    assert json.loads(answer["body"]) == {"state": "completed", "payment_id": PAYMENT_ID}


def fails(*identifiers: str, payments: int = 0, webhooks: int = 0) -> Check:
    def check(answer: Answer, app: App) -> None:
        found = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        assert sorted(found) == sorted(identifiers)
        assert app.payments_queue.depth()["visible"] == payments
        assert app.webhooks_queue.depth()["visible"] == webhooks

    return check


def completes(*identifiers: str) -> Check:
    def check(answer: Answer, app: App) -> None:
        fails(*identifiers)(answer, app)
        payment = app.payments.get(PAYMENT_ID)
        assert payment is not None
        assert payment.status == "completed"

    return check


def refused(*identifiers: str) -> Check:
    def check(answer: Answer, app: App) -> None:
        fails(*identifiers, webhooks=0)(answer, app)
        (delivery,) = app.deliveries.of_payment(PAYMENT_ID)
        # No test calls a merchant: the name resolves to a private address, which is refused.
        assert delivery.attempts[-1].error == "forbidden_destination"

    return check


def taken(state: str, messages: int) -> Check:
    def check(answer: Answer, app: App) -> None:
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"received": True})
        items = app.dynamodb.scan(TableName="payments")["Items"]
        assert [item["state"]["S"] for item in items] == [state]
        assert app.gateway_events_queue.depth()["visible"] == messages

    return check


def looked_into(answer: Answer, app: App) -> None:
    completes()(answer, app)
    event = app.inbox.get(GATEWAY_EVENT.inbox_id)
    assert event is not None
    assert event.state == "processed"


def swept(answer: Answer, app: App) -> None:
    assert answer == {"due_sent": 1, "republished": 0, "unreadable": 0, "lag_seconds": 0}
    assert app.payments_queue.depth()["visible"] == 1


MESSAGE = "059f36b4-87a3-44ab-83d2-66197{:07d}"
EXPECTED: dict[str, Check] = {
    "api/create_payment": created,
    "api/create_payment_without_api_key": answers(401, "unauthorized"),
    "api/create_payment_without_idempotency_key": answers(400, "idempotency_key_missing"),
    "api/create_payment_invalid": answers(422, "validation_failed"),
    "api/create_payment_binary_body": answers(400, "malformed_request"),
    "api/get_payment": answers(200),
    "api/get_unknown_payment": answers(404, "not_found"),
    "api/list_payments": listed,
    "api/list_payments_bad_cursor": answers(400, "invalid_cursor"),
    "api/cancel_payment": canceled,
    "api/create_refund": refunded,
    "api/list_refunds": answers(200),
    "api/get_refund": one_refund,
    "api/list_deliveries": one_delivery,
    "api/redeliver": sent_again,
    "api/find_idempotency_key": found,
    "api/docs": answers(200),
    "api/openapi": answers(200),
    "api/health": answers(200),
    "api/unknown_path": answers(404, "not_found"),
    "outbox_relay/created_and_completed": fails(payments=1, webhooks=1),
    "outbox_relay/poison_between_siblings": fails(
        "4421584500000000017450000002", payments=1, webhooks=1
    ),
    "outbox_relay/deleted_by_ttl": fails(),
    "outbox_relay/refund_created_and_completed": fails(payments=1, webhooks=1),
    "outbox_relay/canceled_voucher": fails(payments=1, webhooks=1),
    "processor/one_payment": completes(),
    "processor/payment_beside_malformed_message": completes(MESSAGE.format(0), MESSAGE.format(1)),
    "processor/delayed_copy": completes(),
    "webhook_sender/first_attempt": refused(),
    "webhook_sender/later_attempt": refused(),
    "webhook_sender/delivery_beside_malformed_message": refused(MESSAGE.format(0)),
    "processor/gateway_event": looked_into,
    "gateway_webhooks/charge_succeeded": taken("received", messages=1),
    "gateway_webhooks/forged": answers(401, "signature_invalid"),
    "gateway_webhooks/signed_too_long_ago": answers(401, "timestamp_out_of_tolerance"),
    "gateway_webhooks/signed_binary_body": taken("unreadable", messages=0),
    "gateway_webhooks/unknown_gateway": answers(404, "not_found"),
    "sweeper/every_minute": swept,
    "simulator/charge": answers(200),
    "simulator/list_charges": answers(200),
    "simulator/look_up_unknown_key": answers(404),
    "simulator/force_outcome": answers(200),
}
NEED_A_PAYMENT = ("get_payment", "list_payments", "cancel_payment", "find_idempotency_key")
NEED_A_COMPLETED_PAYMENT = (
    "create_refund",
    "list_refunds",
    "get_refund",
    "list_deliveries",
    "redeliver",
)
FILES = sorted(EVENTS.glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_every_function_has_events_and_every_event_an_expectation() -> None:
    functions = {p.parent.name for p in (EVENTS.parent / "functions").glob("*/handler.py")}

    assert {path.parent.name for path in FILES} == functions
    assert {name_of(path) for path in FILES} == set(EXPECTED)


@pytest.fixture
def load(listening: App, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Handler]:
    config = listening.config
    environment = {
        "RIEL_PAYMENTS_TABLE": config.payments_table,
        "RIEL_OUTBOX_TABLE": config.outbox_table,
        "RIEL_MERCHANTS_TABLE": config.merchants_table,
        "RIEL_IDEMPOTENCY_TABLE": config.idempotency_table,
        "RIEL_LIMITS_TABLE": config.limits_table,
        "RIEL_PAYMENTS_QUEUE_URL": config.payments_queue_url,
        "RIEL_WEBHOOKS_QUEUE_URL": config.webhooks_queue_url,
        "RIEL_WEBHOOKS_DLQ_URL": config.webhooks_dlq_url,
        "RIEL_WEBHOOK_KEY": config.webhook_key,
        "RIEL_GATEWAY_EVENTS_QUEUE_URL": config.gateway_events_queue_url,
        "RIEL_SIMULATOR_SECRET": config.simulator_secret,
        "RIEL_SIMULATOR_URL": "http://127.0.0.1:9",
        "RIEL_ROUTES": config.routes,
        "RIEL_SIMULATOR_TABLE": "simulator",
        "RIEL_SIMULATOR_LATENCY": "0-0",
        "RIEL_SIMULATOR_SUCCESS_RATE": "1",
    }

    def load(function: str) -> Handler:
        handler, module = load_handler(function, environment, monkeypatch)
        if function in ("processor", "webhook_sender"):
            module._app.__dict__["gateways"] = listening.gateways
            module._app.resolver = lambda _host, _port: ["10.0.0.1"]
            module._app.__dict__["secret_box"] = listening.secret_box
        if function in ("api", "gateway_webhooks"):
            # The events were signed, and are kept, by its time.
            module._app.clock = listening.clock
        return handler

    return load


def store_tried_delivery(app: App) -> None:
    """One whose first attempt has failed; its event stands in the outbox."""
    moved = store_completed(app, idempotency_key=KEY)
    event = payment_moved(ids.event_id(PAYMENT_ID, moved.sequence), moved)
    begun = Webhook.of_event(replace(event, webhook_url="https://example.com/webhook"))
    delivery = begun.new_delivery()
    failed = replace(delivery.after(Attempt("t", 500, 1)), next_at=NOON, due_at=NOON)
    assert app.deliveries.save(delivery, failed)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_an_event_is_handled_as_expected(
    path: Path, app: App, load: Callable[[str], Handler]
) -> None:
    if path.parent.name == "processor" or path.stem in NEED_A_PAYMENT:
        store_payment(app, idempotency_key=KEY)
    if path.stem in NEED_A_COMPLETED_PAYMENT:
        payment = store_completed(app, idempotency_key=KEY)
        if path.stem == "get_refund":
            refund_late_payment(app, payment)
    if name_of(path) == "processor/gateway_event":
        assert app.inbox.put(GATEWAY_EVENT) is None
    if name_of(path) == "webhook_sender/later_attempt":
        store_tried_delivery(app)
    if path.parent.name == "sweeper":
        store_payment(app, due_at=NOON)

    answer = load(path.parent.name)(json.loads(path.read_text()), Context())

    EXPECTED[name_of(path)](answer, app)


def test_a_slow_payment_delays_no_sibling_of_its_batch(
    app: App, load: Callable[[str], Handler], gateway: FakeGateway
) -> None:
    """Counted, not timed: all ten calls to the gateway are under way at once."""
    everybody = Barrier(10, timeout=20)
    event = json.loads((EVENTS / "processor/one_payment.json").read_text())
    (record,) = event["Records"]
    event["Records"] = []
    for n in range(10):
        payment = store_payment(app, idempotency_key=f"key-{n}")
        body = json.dumps({"payment_id": payment.payment_id, "traceparent": ""})
        event["Records"].append({**record, "messageId": str(n), "body": body})

    class TogetherGateway(FakeGateway):
        def charge(self, request: Any) -> Any:
            everybody.wait()  # breaks unless ten wait here together
            return Charged(request.payment_id, request.amount, "ref", request.amount)

        def look_up(self, key: str) -> Any:
            raise AssertionError("nobody had these payments before")

    app.__dict__["gateways"] = {"simulator": TogetherGateway()}

    load("processor")(event, Context())

    assert everybody.broken is False
    assert everybody.n_waiting == 0


def test_what_can_not_end_before_the_deadline_is_not_started(
    app: App, load: Callable[[str], Handler], gateway: FakeGateway
) -> None:
    store_payment(app, idempotency_key=KEY)
    context = Context()
    context.remaining_ms = 3_000

    event = json.loads((EVENTS / "processor/one_payment.json").read_text())
    answer = load("processor")(event, context)

    assert len(answer["batchItemFailures"]) == 1
    assert gateway.sent == []


def test_fc_61_and_62_a_batch_relayed_twice_or_in_another_order_completes_the_payment_once(
    app: App, load: Callable[[str], Handler], gateway: FakeGateway, clock: FakeClock
) -> None:
    store_payment(app, idempotency_key=KEY)
    relay, process = load("outbox_relay"), load("processor")
    batch = json.loads((EVENTS / "outbox_relay/created_and_completed.json").read_text())

    relay(batch, Context())
    relay({"Records": batch["Records"][::-1]}, Context())
    for message in app.payments_queue.receive(0):
        event = json.loads((EVENTS / "processor/one_payment.json").read_text())
        event["Records"][0]["body"] = message.body
        assert process(event, Context()) == {"batchItemFailures": []}

    assert len(gateway.sent) == 1


@pytest.mark.parametrize("character", ["\uffff", "\ufffe", "\x01", "\U0001f686"])
def test_every_character_that_a_merchant_may_send_reaches_the_webhooks_queue(
    app: App, load: Callable[[str], Handler], character: str
) -> None:
    """SQS takes XML's characters only; one outside must not stop the events of everybody."""
    batch = json.loads((EVENTS / "outbox_relay/created_and_completed.json").read_text())
    body = batch["Records"][1]["dynamodb"]["NewImage"]["body"]
    body["S"] = body["S"].replace("123", character)

    assert load("outbox_relay")(batch, Context()) == {"batchItemFailures": []}

    (message,) = app.webhooks_queue.receive(0)
    assert message.body.isascii()
    assert json.loads(message.body)["body"] == body["S"]


def test_who_is_not_done_in_time_is_reported_and_its_siblings_are_not_lost(
    app: App, load: Callable[[str], Handler]
) -> None:
    slow, _ = (store_payment(app, idempotency_key=key) for key in ("slow", "quick"))
    event = json.loads((EVENTS / "processor/one_payment.json").read_text())
    (record,) = event["Records"]
    ids_ = [ids.payment_id("demo", False, key) for key in ("slow", "quick")]
    event["Records"] = [
        {**record, "messageId": one, "body": json.dumps({"payment_id": one, "traceparent": ""})}
        for one in ids_
    ]
    release = Barrier(2)

    class StuckGateway(FakeGateway):
        def charge(self, request: Any) -> Any:
            if request.payment_id == slow.payment_id:
                release.wait(30)
            return super().charge(request)

    app.__dict__["gateways"] = {"simulator": StuckGateway()}
    context = Context()
    # Enough to start (two gateway time-outs), and half a second beyond what the answer needs.
    context.remaining_ms = 16_500
    process = load("processor")
    batches = sys.modules["riel.services.batches"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "ANSWER_SECONDS", 14.0)
        answer = process(event, context)
    release.wait(30)

    assert answer == {"batchItemFailures": [{"itemIdentifier": slow.payment_id}]}
