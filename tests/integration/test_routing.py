"""Which gateway a new payment gets in the API, and what the relay does with it."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from riel import ids
from riel.app import App
from riel.domain.events import Event, payment_created, payment_moved, refund_created
from riel.domain.instants import to_text
from riel.domain.money import Money
from riel.domain.payment import NextAction, Payment, Status
from riel.domain.refund import Refund, RefundStatus, RefundTransition
from riel.services.merchants import seed_merchant
from riel.services.relay_events import publish, relay_records
from riel.store import outbox
from tests.builders import NOON, make_app, make_payment
from tests.integration.test_api import GOOD, Api
from tests.payments import VOUCHER, advance, store_awaiting

LIVE_KEY = "sk_live_routing"
REFUND = Refund(
    refund_id="re_" + "a" * 26,
    payment_id=make_payment().payment_id,
    merchant_id="demo",
    amount=Money(100, "MXN"),
    fingerprint="f",
    gateway="standby",
    history=(RefundTransition(1, RefundStatus.PENDING, NOON, "created"),),
)


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


@pytest.fixture
def two_queues(app: App) -> App:
    """An app whose second gateway has a queue of its own, as the stages have."""
    url = boto3.client("sqs").create_queue(QueueName="payments-standby")["QueueUrl"]
    queues = {
        f"{name}_url": getattr(app.config, f"{name}_url")
        for name in ("payments_queue", "webhooks_queue", "webhooks_dlq")
    }
    return make_app(gateway_queues={"standby": url}, **queues)


def received(app: App) -> dict[str, list[dict[str, Any]]]:
    """What the relay has sent, by queue."""
    queues = {
        "payments": app.payments_queue,
        "standby": app.gateway_queue("standby"),
        "webhooks": app.webhooks_queue,
    }
    return {
        name: [json.loads(message.body) for message in queue.receive(30)]
        for name, queue in queues.items()
    }


def created(gateway: str) -> Event:
    payment = make_payment(gateway=gateway, traceparent="00-trace")
    return payment_created(ids.event_id(payment.payment_id, 1), payment)


@pytest.mark.parametrize("method", ["card", "oxxo", "spei"])
def test_a_method_with_a_route_is_accepted_by_its_first_gateway(
    api: Api, app: App, method: str
) -> None:
    answer = api.post("k", {**GOOD, "method": method})

    assert answer["statusCode"] == 202
    payment = app.payments.get(answer["json"]["payment_id"])
    assert payment is not None
    assert (payment.method, payment.gateway) == (method, "simulator")


@pytest.mark.parametrize(
    ("routes", "order"),
    [
        ("card=simulator;oxxo=simulator", {"method": "crypto"}),
        ("card=simulator", {"method": "oxxo"}),
        ("card/USD=simulator", {}),
        ("", {}),
    ],
)
def test_without_a_route_the_method_is_unavailable_and_nothing_is_written(
    app: App, aws: Any, monkeypatch: pytest.MonkeyPatch, routes: str, order: dict[str, str]
) -> None:
    answer = Api(app, monkeypatch, RIEL_ROUTES=routes).post("k", {**GOOD, **order})

    assert (answer["statusCode"], answer["json"]["code"]) == (503, "method_unavailable")
    assert answer["headers"]["Retry-After"]
    assert aws.scan(TableName="payments")["Count"] == 0


def test_a_live_key_finds_no_gateway_that_plays(api: Api, app: App) -> None:
    seed_merchant(app, merchant_id="live", name="L", api_key=LIVE_KEY, webhook_secret="whsec_eA==")

    answer = api.post("k", None, **{"x-api-key": LIVE_KEY})

    assert (answer["statusCode"], answer["json"]["code"]) == (503, "method_unavailable")


def test_a_payment_goes_to_the_queue_of_its_gateway(two_queues: App) -> None:
    publish(two_queues, [created("simulator"), created("standby"), created("")])

    sent = received(two_queues)
    assert [body["gateway"] for body in sent["standby"]] == ["standby"]
    # An event from before there were two gateways names none.
    assert sorted(body["gateway"] for body in sent["payments"]) == ["", "simulator"]
    payment = make_payment()
    assert sent["standby"][0] == {
        "payment_id": payment.payment_id,
        "event_id": ids.event_id(payment.payment_id, 1),
        "gateway": "standby",
        "traceparent": "00-trace",
    }


def test_a_refund_goes_to_the_queue_of_its_gateway(two_queues: App) -> None:
    event = refund_created(ids.event_id(REFUND.refund_id, 1), make_payment(), REFUND)

    publish(two_queues, [event])

    (body,) = received(two_queues)["standby"]
    assert (body["refund_id"], body["payment_id"]) == (REFUND.refund_id, REFUND.payment_id)


@pytest.mark.parametrize("webhook_url", ["http://127.0.0.1:9/hook", None])
def test_a_canceled_voucher_is_told_to_its_gateway_and_to_the_merchant(
    app: App, webhook_url: str | None
) -> None:
    canceled = advance(app, store_awaiting(app, webhook_url=webhook_url), Status.CANCELED)

    publish(app, [payment_moved("evt_1", canceled)])

    sent = received(app)
    assert [body["payment_id"] for body in sent["payments"]] == [canceled.payment_id]
    assert len(sent["webhooks"]) == (1 if webhook_url else 0)


def test_a_payment_that_no_gateway_had_is_canceled_without_one(app: App) -> None:
    canceled = advance(app, stored(app), Status.CANCELED)

    publish(app, [payment_moved("evt_1", canceled)])

    sent = received(app)
    assert sent["payments"] == []
    assert [body["type"] for body in sent["webhooks"]] == ["payment.canceled"]


def stored(app: App) -> Payment:
    payment = make_payment()
    assert app.payments.create(payment, created("simulator")) is None
    return payment


def test_no_reference_or_clabe_is_logged_or_told_to_a_queue(
    api: Api, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    """The payer's slip is shown to those who own the payment alone."""
    clabe = NextAction("spei_transfer", VOUCHER.expires_at, clabe="646180157000000004")
    payments = [
        store_awaiting(app, idempotency_key="oxxo"),
        store_awaiting(app, clabe, idempotency_key="spei"),
    ]
    events = [payment_moved(f"evt_{one.payment_id}", one) for one in payments]
    images = [outbox.put_action("t", event)["Put"]["Item"] for event in events]
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(n), "NewImage": image}}
        for n, image in enumerate(images)
    ]

    assert relay_records(app, records) == []
    shown = [api("GET", f"/api/v1/payments/{one.payment_id}")["json"] for one in payments]

    until = to_text(VOUCHER.expires_at)
    assert [one["next_action"] for one in shown] == [
        {"type": "oxxo_voucher", "reference": VOUCHER.reference, "expires_at": until},
        {"type": "spei_transfer", "clabe": clabe.clabe, "expires_at": until},
    ]
    seen = capsys.readouterr()
    for secret in (VOUCHER.reference, clabe.clabe):
        assert secret not in seen.out + seen.err
        assert secret not in json.dumps(received(app))


def test_an_action_is_shown_only_while_the_payer_can_act(api: Api, app: App) -> None:
    paid = advance(app, store_awaiting(app), Status.COMPLETED, received_minor=10_050)

    shown = api("GET", f"/api/v1/payments/{paid.payment_id}")["json"]

    assert (shown["status"], shown["next_action"]) == ("completed", None)
