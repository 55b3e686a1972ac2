"""The processor's handler: which step a message asks for, and which queue gets it back."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from riel.app import App
from riel.errors import UnmappedAnswerError
from riel.services.steps import GiveBackError
from tests.builders import FakeGateway, store_payment
from tests.handlers import Context, load_handler

QUEUES = ("payments_queue", "payments-standby", "gateway_events_queue")


@pytest.fixture
def module(app: App, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The handler's module, on three queues that give a message back after half a minute."""
    sqs = boto3.client("sqs")
    standby = sqs.create_queue(QueueName="payments-standby")["QueueUrl"]
    environment = {
        "RIEL_PAYMENTS_TABLE": app.config.payments_table,
        "RIEL_OUTBOX_TABLE": app.config.outbox_table,
        "RIEL_LIMITS_TABLE": app.config.limits_table,
        "RIEL_PAYMENTS_QUEUE_URL": app.config.payments_queue_url,
        "RIEL_GATEWAY_EVENTS_QUEUE_URL": app.config.gateway_events_queue_url,
        "RIEL_GATEWAY_QUEUES": f"standby={standby}",
        "RIEL_ROUTES": app.config.routes,
    }
    _, module = load_handler("processor", environment, monkeypatch)
    module._app.__dict__["gateways"] = app.gateways
    return module


def received(queue: str, body: object) -> dict[str, Any]:
    """Send a message to a queue and receive it as Lambda's mapping would."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
    }
    return {"Records": [record]}


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"payment_id": "pay_1"}, "Step"),
        ({"payment_id": "pay_1", "look": True, "gateway": "standby"}, "Step"),
        ({"payment_id": "pay_1", "refund_id": "re_1"}, "RefundStep"),
        ({"inbox_id": "inb_1"}, "InboxStep"),
    ],
)
def test_a_messages_form_says_which_step_it_asks_for(
    module: Any, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], step: str
) -> None:
    asked: list[str] = []

    def note(_app: App, step: object, _receives: int) -> str:
        asked.append(type(step).__name__)
        return "done"

    for name in ("process_payment", "process_refund", "process_gateway_event"):
        monkeypatch.setattr(module, name, note)

    answer = module.handler(
        received("payments_queue", {**fields, "waits": 0, "traceparent": ""}), Context()
    )

    assert answer == {"batchItemFailures": []}
    assert asked == [step]


@pytest.mark.parametrize("queue", QUEUES)
def test_fc_45_a_message_goes_back_to_the_queue_that_it_came_from(
    module: Any, app: App, gateway: FakeGateway, queue: str
) -> None:
    given_back: list[tuple[str, int]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        given_back.append((params["QueueUrl"].rpartition("/")[2], params["VisibilityTimeout"]))

    module._app.sqs.meta.events.register(
        "provide-client-params.sqs.ChangeMessageVisibility", lambda params, **_: note(params)
    )
    payment = store_payment(app)
    gateway.before = [UnmappedAnswerError("perhaps")]
    event = received(queue, {"payment_id": payment.payment_id, "traceparent": ""})

    answer = module.handler(event, Context())

    assert len(answer["batchItemFailures"]) == 1
    assert given_back == [(queue, 1)]


def test_a_held_payment_is_given_back_until_after_its_lease(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: Any) -> str:
        raise GiveBackError(17)

    seconds: list[int] = []
    monkeypatch.setattr(module, "process_payment", held)
    module._app.sqs.meta.events.register(
        "provide-client-params.sqs.ChangeMessageVisibility",
        lambda params, **_: seconds.append(params["VisibilityTimeout"]),
    )

    module.handler(received("payments-standby", {"payment_id": "pay_1"}), Context())

    assert seconds == [17]


@pytest.mark.parametrize("body", [[], 7, "text", None, {}, {"inbox_id": 3}, {"refund_id": "re_1"}])
def test_what_is_no_step_fails_alone_and_touches_nothing(module: Any, body: object) -> None:
    answer = module.handler(received("payments_queue", body), Context())

    assert len(answer["batchItemFailures"]) == 1
