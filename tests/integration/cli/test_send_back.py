"""Redrive and replay: what is sent, what is left, and how often."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from riel import ids
from riel.app import App
from riel.domain.events import payment_created
from riel.domain.instants import to_text
from riel.errors import MalformedMessageError
from riel.services import redrive_dead_letters as service
from riel.services.dead_letters import DeadLetterQueue
from riel.services.list_dead_letters import list_dead_letters
from riel.services.process_payment import Step, process_payment
from riel.services.redrive_dead_letters import RedriveOrder, redrive_dead_letters
from riel.services.replay_outbox import replay_outbox
from riel.services.webhook_message import Webhook
from riel.store import outbox
from riel.store.deliveries import DELIVERED, FAILED, Attempt
from riel.store.dynamodb import transact
from riel.store.keys import outbox_partition
from riel.store.queues import Queue
from tests.builders import NOON, FakeGateway, make_payment, store_payment

FAST = RedriveOrder(rate=1000)


def dead(app: App, name: str) -> DeadLetterQueue:
    url = app.sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    return DeadLetterQueue(name, Queue(app.sqs, url))


def bodies(queue: Queue) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in queue.receive(30)]


def spoil_outbox(app: App, sort_key: str, **fields: Any) -> None:
    item = {"pk": {"S": outbox_partition(NOON, 0)}, "sk": {"S": sort_key}, **fields}
    app.dynamodb.put_item(TableName="outbox", Item=item)


def test_fc_67_a_second_letter_of_the_same_payment_is_left_in_one_run(app: App) -> None:
    source = dead(app, "payments")
    for waits in (0, 1):
        source.queue.send({"payment_id": "pay_1", "waits": waits, "traceparent": ""})

    done = redrive_dead_letters(app, source, FAST)

    assert (done.sent, done.again) == (1, 1)
    assert source.queue.depth() == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert len(bodies(app.payments_queue)) == 1


def test_fc_67_a_letter_that_two_runs_sent_back_charges_once(
    app: App, gateway: FakeGateway
) -> None:
    """As after a crash between sending a letter back and deleting it."""
    payment = store_payment(app)
    source = dead(app, "payments")
    for _run in range(2):
        source.queue.send({"payment_id": payment.payment_id, "traceparent": ""})
        assert redrive_dead_letters(app, source, FAST).sent == 1

    steps = [Step.read(body) for body in bodies(app.payments_queue)]
    done = [process_payment(app, step, receives=1) for step in steps]

    assert done == ["completed", "nothing to do: completed"]
    assert len(gateway.charges) == 1


def test_fc_67_a_run_is_bounded_and_the_next_one_goes_on(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_MESSAGES", 12)  # 10,000 take too long
    source = dead(app, "payments")
    letters = {f"pay_{number:02}" for number in range(30)}
    for payment_id in letters:
        source.queue.send({"payment_id": payment_id, "traceparent": ""})

    runs = list(iter(lambda: redrive_dead_letters(app, source, FAST).sent, 0))

    assert runs == [12, 12, 6]
    sent = iter(lambda: bodies(app.payments_queue), [])
    assert {body["payment_id"] for batch in sent for body in batch} == letters


def test_fc_67_the_rate_spaces_the_messages(app: App) -> None:
    source = dead(app, "payments")
    for number in range(4):
        source.queue.send({"payment_id": f"pay_{number}", "traceparent": ""})

    began = time.monotonic()
    done = redrive_dead_letters(app, source, RedriveOrder(rate=20))

    assert done.sent == 4
    assert time.monotonic() - began >= 3 / 20


def test_a_letter_of_a_payment_that_is_gone_or_done_says_so(app: App) -> None:
    source = dead(app, "payments")
    source.queue.send({"payment_id": "pay_unknown", "traceparent": ""})

    (letter,) = list_dead_letters(app, source)

    assert letter.reason == "the payment does not exist"
    assert letter.payment_ids == ("pay_unknown",)


def test_more_letters_than_one_receive_brings_are_all_listed_once(app: App) -> None:
    source = dead(app, "payments")
    for number in range(25):
        source.queue.send({"payment_id": f"pay_{number}", "traceparent": ""})

    letters = list_dead_letters(app, source)

    assert len({letter.message_id for letter in letters}) == 25
    assert source.queue.depth()["visible"] == 25


def test_a_replay_publishes_its_range_and_lists_what_it_can_not_read(app: App) -> None:
    payment = store_payment(app)
    spoil_outbox(app, "2026-04-17T12:00:00.100Z#evt_poison", type={"S": "?"})
    spoil_outbox(app, "2026-04-17T12:00:30.000Z#evt_later", type={"S": "?"})

    done = replay_outbox(app, NOON, NOON + timedelta(seconds=30))

    assert (done.found, done.published, done.refused) == (2, 1, 0)
    assert [record.key.split("#")[-1] for record in done.unreadable] == ["evt_poison"]
    assert [body["payment_id"] for body in bodies(app.payments_queue)] == [payment.payment_id]
    with pytest.raises(MalformedMessageError):
        list(app.outbox.between(NOON, NOON + timedelta(seconds=30)))


def test_an_event_of_an_unknown_type_holds_up_no_other(app: App) -> None:
    payment = store_payment(app)
    strange = make_payment(idempotency_key="key-2")
    event = payment_created(ids.event_id(strange.payment_id, 1), strange)
    object.__setattr__(event, "type", "payment.teleported")
    transact(app.dynamodb, [outbox.put_action("outbox", event)])

    done = replay_outbox(app, NOON, NOON + timedelta(seconds=1))

    assert (done.found, done.published) == (2, 1)
    assert "payment.teleported" in done.unreadable[0].reason
    assert [body["payment_id"] for body in bodies(app.payments_queue)] == [payment.payment_id]


def test_a_dry_run_publishes_nothing(app: App) -> None:
    store_payment(app)

    assert replay_outbox(app, NOON, NOON + timedelta(seconds=1), dry_run=True).published == 1
    assert bodies(app.payments_queue) == []


def test_deleting_what_somebody_else_took_is_no_error(app: App) -> None:
    source = dead(app, "payments")
    source.queue.send({"payment_id": "pay_1", "traceparent": ""})
    (message,) = source.queue.receive(30)

    source.queue.delete(message.receipt)
    source.queue.delete(message.receipt)
    Queue(boto3.client("sqs"), source.queue.url).delete("no receipt at all")


def webhook(app: App, *statuses: int) -> Webhook:
    """What the relay sends of an event, after attempts that were answered so."""
    first = Webhook(
        *("demo", "pay_1", "evt_1", 1, 0, "payment.completed", "https://example.com/"),
        at=to_text(NOON),
        body="{}",
    )
    delivery = first.new_delivery()
    for status in statuses:
        tried = delivery.after(Attempt(to_text(NOON), status, 1))
        state = DELIVERED if status == 200 else FAILED
        assert app.deliveries.save(delivery, replace(tried, state=state))
        delivery = replace(tried, state=state, is_stored=True)
    return first if not statuses else Webhook.of_delivery(delivery)


def test_a_webhook_that_failed_begins_a_new_run_by_its_letter(app: App) -> None:
    source = dead(app, "webhooks")
    letter = webhook(app, 500, 503)
    source.queue.send(letter.fields())
    assert [one.reason for one in list_dead_letters(app, source)] == ["HTTP 503, tried 2 times"]

    assert redrive_dead_letters(app, source, FAST).sent == 1

    delivery = app.deliveries.get("pay_1", "evt_1")
    assert delivery is not None
    assert (delivery.state, delivery.tries, delivery.turn) == ("pending", 0, letter.turn + 1)
    assert bodies(app.webhooks_queue) == [replace(letter, turn=letter.turn + 1).fields()]


def test_fc_67_a_webhook_that_was_delivered_since_is_not_sent_again_by_its_letter(app: App) -> None:
    source = dead(app, "webhooks")
    source.queue.send(webhook(app, 500, 200).fields())
    (letter,) = list_dead_letters(app, source)
    assert letter.reason == "nothing is left to do: the delivery is delivered"

    assert redrive_dead_letters(app, source, FAST).sent == 1
    assert bodies(app.webhooks_queue) == []


def test_a_webhook_whose_first_attempt_was_never_recorded_is_sent_as_the_relay_did(
    app: App,
) -> None:
    source = dead(app, "webhooks")
    first = webhook(app)
    source.queue.send(first.fields())

    assert redrive_dead_letters(app, source, FAST).sent == 1
    assert bodies(app.webhooks_queue) == [first.fields()]


def test_a_later_letter_of_a_webhook_that_does_not_exist_is_left(app: App) -> None:
    source = dead(app, "webhooks")
    source.queue.send(Webhook("demo", "pay_1", "evt_1", turn=3).fields())

    done = redrive_dead_letters(app, source, FAST)

    assert [reason for _, reason in done.left] == [
        "the message names a delivery that does not exist"
    ]
    assert source.queue.depth()["visible"] == 1
