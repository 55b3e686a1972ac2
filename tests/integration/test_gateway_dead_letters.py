"""Dead letters of the gateways' queues: what they are about, and back to where they were."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest

from riel import ids
from riel.app import App
from riel.domain.events import refund_created
from riel.domain.money import Money
from riel.domain.payment import Payment, Status, Transition
from riel.domain.refund import Refund, RefundStatus, RefundTransition, reserve
from riel.errors import MalformedMessageError
from riel.services.dead_letters import DeadLetter, DeadLetterQueue
from riel.services.list_dead_letters import list_dead_letters
from riel.services.redrive_dead_letters import RedriveOrder, redrive_dead_letters
from riel.store.inbox import InboxEvent, KeptBody, State
from riel.store.queues import Queue
from riel.store.refunds import Reserved
from tests.builders import NOON, FakeClock, FakeGateway, make_app, store_payment

FAST = RedriveOrder(rate=1000)


@pytest.fixture
def app(aws: Any, clock: FakeClock, gateway: FakeGateway) -> App:
    """An app whose gateway `standby` has a payments queue of its own."""
    sqs = boto3.client("sqs")
    urls = {n: sqs.create_queue(QueueName=n)["QueueUrl"] for n in ("shared", "own", "events")}
    return make_app(
        gateway,
        clock,
        payments_queue_url=urls["shared"],
        gateway_queues={"standby": urls["own"]},
        gateway_events_queue_url=urls["events"],
    )


def dead(app: App, name: str, *messages: dict[str, Any]) -> DeadLetterQueue:
    url = app.sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    queue = Queue(app.sqs, url)
    for message in messages:
        queue.send(message)
    return DeadLetterQueue(name, queue)


def explained(app: App, name: str, message: dict[str, Any]) -> DeadLetter:
    (letter,) = list_dead_letters(app, dead(app, name, message))
    return letter


def bodies(queue: Queue) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in queue.receive(30)]


def store_refund(app: App) -> Refund:
    completed = Transition(2, Status.COMPLETED, NOON, "charged")
    created = Transition(1, Status.PENDING, NOON, "created")
    payment = store_payment(app, history=(created, completed), received_minor=10_050)
    refund = Refund(
        refund_id=ids.refund_id("demo", False, payment.payment_id, "key-r"),
        payment_id=payment.payment_id,
        merchant_id="demo",
        amount=Money(50, "MXN"),
        fingerprint="f",
        gateway="simulator",
        history=(RefundTransition(1, RefundStatus.PENDING, NOON, "created"),),
    )
    after = reserve(payment, refund.amount)
    assert isinstance(after, Payment)
    event = refund_created(ids.event_id(refund.refund_id, 1), payment, refund)
    assert app.refunds.create(payment, after, refund, event) is Reserved.WRITTEN
    return refund


def store_event(app: App, payment_id: str, **fields: Any) -> InboxEvent:
    event = InboxEvent(
        inbox_id=ids.inbox_id("standby", payment_id or "none"),
        gateway="standby",
        event_id="evt_1",
        received_at=NOON,
        body=KeptBody("0" * 64, 2, "utf-8", "{}"),
        type="charge.succeeded",
        payment_id=payment_id,
        **fields,
    )
    assert app.inbox.put(event) is None
    return event


@pytest.mark.parametrize("queue", ["payments", "payments-standby"])
def test_a_step_of_any_gateway_is_explained_by_its_payment(app: App, queue: str) -> None:
    payment = store_payment(app)

    letter = explained(app, queue, {"payment_id": payment.payment_id})

    assert (letter.queue, letter.payment_ids) == (queue, (payment.payment_id,))
    assert letter.payment == payment
    assert "ended without a word" in letter.reason


def test_a_step_of_a_refund_is_explained_by_the_refund(app: App) -> None:
    refund = store_refund(app)

    letter = explained(
        app, "payments", {"payment_id": refund.payment_id, "refund_id": refund.refund_id}
    )

    # The payment is final, and yet there is something left to do.
    assert letter.about == f"refund {refund.refund_id}"
    assert "ended without a word" in letter.reason
    absent = {"payment_id": refund.payment_id, "refund_id": "re_absent"}
    (other,) = list_dead_letters(app, dead(app, "payments-standby", absent))
    assert other.reason == "the refund does not exist"


def test_an_event_is_explained_by_its_payment_and_by_what_became_of_it(app: App) -> None:
    payment = store_payment(app)
    event = store_event(app, payment.payment_id)
    source = dead(app, "gateway-events", {"inbox_id": event.inbox_id})

    (letter,) = list_dead_letters(app, source)
    assert letter.payment_ids == (payment.payment_id,)
    assert letter.about == "charge.succeeded of standby"
    assert "ended without a word" in letter.reason

    app.inbox.leave(event, "psp_unmapped_status: what?")
    (letter,) = list_dead_letters(app, source)
    assert letter.reason == "psp_unmapped_status: what?"

    app.inbox.settle(event, State.PROCESSED, "looked")
    (letter,) = list_dead_letters(app, source)
    assert letter.reason == "nothing is left to do: the event is processed"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"inbox_id": "inb_absent"}, "the event does not exist"),
        ({"waits": 1}, f"{MalformedMessageError.code}: the message names no event"),
    ],
)
def test_a_letter_about_no_event_says_so(app: App, message: dict[str, Any], reason: str) -> None:
    assert explained(app, "gateway-events", message).reason == reason


def test_each_letter_goes_back_to_the_queue_that_it_came_from(app: App, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=1).total_seconds())
    for name, message, queue in (
        ("payments", {"payment_id": "pay_1", "waits": 2}, app.payments_queue),
        ("payments-standby", {"payment_id": "pay_2", "waits": 0}, app.gateway_queue("standby")),
        ("gateway-events", {"inbox_id": "inb_3", "waits": 1}, app.gateway_events_queue),
    ):
        source = dead(app, name, message)
        assert redrive_dead_letters(app, source, FAST).sent == 1
        assert bodies(queue) == [message]
        assert source.queue.depth()["visible"] == 0


def test_two_refunds_of_one_payment_are_no_repeat_of_each_other(app: App) -> None:
    steps = [{"payment_id": "pay_1", "refund_id": f"re_{n}"} for n in (1, 2)]
    source = dead(app, "payments", *steps, {"payment_id": "pay_1"}, steps[0])

    done = redrive_dead_letters(app, source, FAST)

    assert (done.sent, done.again) == (3, 1)
