"""What is due goes to its queue, and comes again until somebody has acted on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.deadline import Deadline
from riel.domain.payment import Method, Payment
from riel.errors import OutcomeUnknownError
from riel.services import queue_room
from riel.services import sweep_due as service
from riel.services.process_payment import Step, process_payment
from riel.services.queue_room import QueueRoom
from riel.services.sweep_due import AGAIN_AFTER, SweptDue, sweep_due
from riel.store import keys
from riel.store.queues import Queue
from tests.builders import NOON, FakeClock, FakeGateway, store_payment

MINUTE = timedelta(minutes=1)


def run(app: App, seconds: float = 60) -> SweptDue:
    return sweep_due(app, QueueRoom(), Deadline(seconds))


def messages(queue: Queue) -> list[dict[str, Any]]:
    """Take everything that waits in a queue."""
    found: list[dict[str, Any]] = []
    while batch := queue.receive(30):
        for message in batch:
            found.append(json.loads(message.body))
            queue.delete(message.receipt)
    return found


def due(app: App, number: int = 0, at: datetime = NOON, **fields: Any) -> Payment:
    return store_payment(app, idempotency_key=f"key-{number}", due_at=at, **fields)


def partition_of(number: int) -> str:
    return keys.due_partition(shard_of(number))


def shard_of(number: int) -> int:
    payment_id = ids.payment_id("demo", False, f"key-{number}")
    return ids.spread(payment_id, keys.DUE_SHARDS)


def sort_key(app: App, pk: str, sk: str = keys.PAYMENT) -> str:
    item = app.dynamodb.get_item(TableName="payments", Key={"pk": {"S": pk}, "sk": {"S": sk}})
    return item["Item"].get("due_sk", {}).get("S", "")


def put_due(app: App, sk: str, at: datetime, queue: str, *subject: str) -> None:
    """Anything else that waits: a refund beside its payment, or an event of a PSP."""
    due_pk, due_sk = keys.due_key(at, queue, *subject)
    fields = {"pk": subject[0], "sk": sk, "due_pk": due_pk, "due_sk": due_sk}
    app.dynamodb.put_item(TableName="payments", Item={k: {"S": v} for k, v in fields.items()})


def test_fc_32_a_look_up_that_is_due_comes_back_to_the_gateway_step(app: App) -> None:
    payment = due(app, at=NOON)

    assert run(app) == SweptDue(sent=1, oldest_left=None)

    (message,) = messages(app.payments_queue)
    about = {"payment_id": payment.payment_id, "gateway": "simulator"}
    assert message == {**about, "waits": 0, "look": True, "traceparent": ""}


def step(app: App) -> str:
    """Let the processor take the one message that waits."""
    (message,) = messages(app.payments_queue)
    return process_payment(app, Step.read(message), receives=1)


def test_fc_32_a_lost_answer_is_looked_up_when_it_is_due_and_never_failed(
    app: App, clock: FakeClock, gateway: FakeGateway
) -> None:
    app.config = replace(app.config, look_up_seconds=(300, 3600))
    payment = store_payment(app)
    gateway.after = [OutcomeUnknownError("no answer")]  # it charged, and nobody heard of it
    process_payment(app, Step(payment.payment_id), receives=1)
    assert messages(app.payments_queue) == [], "no copy waits in the queue for minutes"

    clock.advance(299)
    assert run(app).sent == 0
    clock.advance(1)
    assert run(app).sent == 1

    assert step(app) == "completed"
    assert len(gateway.sent) == 1
    clock.advance(3600)
    assert run(app).sent == 0


def test_fc_40_a_voucher_that_nobody_paid_expires_by_its_due_time(
    app: App, clock: FakeClock, gateway: FakeGateway
) -> None:
    payment = store_payment(app, method=Method.OXXO)
    assert process_payment(app, Step(payment.payment_id), receives=1) == "awaiting_payment"
    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert stored.due_at is not None

    assert run(app).sent == 0
    clock.now = stored.due_at
    assert run(app).sent == 1
    assert step(app) == "expired"

    clock.advance(86_400)
    assert run(app).sent == 0


def test_what_is_not_due_yet_is_not_touched(app: App, clock: FakeClock) -> None:
    payment = due(app, at=NOON + timedelta(milliseconds=1))
    before = sort_key(app, payment.payment_id)

    assert run(app).sent == 0
    assert sort_key(app, payment.payment_id) == before

    clock.advance(0.001)
    assert run(app).sent == 1


def test_fc_40_a_lost_message_comes_again_every_five_minutes_until_somebody_acts(
    app: App, clock: FakeClock
) -> None:
    payment = due(app)

    sent = []
    for _ in range(11):  # minutes
        run(app)
        sent.append(len(messages(app.payments_queue)))
        clock.advance(60)
    assert sent == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]

    # What a step does that acts on it: the item leaves the index.
    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert app.payments.note(stored, replace(stored, due_at=None))
    clock.advance(3600)
    assert run(app).sent == 0


def test_every_kind_of_item_goes_to_the_queue_that_its_entry_names(app: App) -> None:
    url = app.sqs.create_queue(QueueName="payments-standby")["QueueUrl"]
    app.config = replace(app.config, gateway_queues={"standby": url})
    standby = due(app, 1, gateway="standby")
    refund_id = ids.refund_id("demo", False, standby.payment_id, "key")
    put_due(app, keys.refund(refund_id), NOON, "standby", standby.payment_id, refund_id)
    inbox_id = ids.inbox_id("simulator", "event-1")
    put_due(app, keys.INBOX, NOON, keys.INBOX_QUEUE, inbox_id)

    assert run(app).sent == 3

    found = messages(app.gateway_queue("standby"))
    assert {m["payment_id"] for m in found} == {standby.payment_id}
    assert {m.get("refund_id") for m in found} == {None, refund_id}
    assert all(m["look"] for m in found)
    (event,) = messages(app.gateway_events_queue)
    assert event == {"inbox_id": inbox_id, "waits": 0, "traceparent": ""}
    assert messages(app.payments_queue) == []


def test_two_sweepers_at_once_send_at_most_twice_and_move_it_once(app: App) -> None:
    payment = due(app)
    (page,) = app.due.until(partition_of(0), NOON, 100)  # the other one has read, not yet moved

    run(app)
    after = sort_key(app, payment.payment_id)

    assert app.due.postpone(page[0], NOON + timedelta(hours=1)) is False
    assert sort_key(app, payment.payment_id) == after
    assert after.startswith("2026-04-17T12:05:00.000Z#simulator#")


def test_an_item_that_was_settled_meanwhile_is_not_put_back_into_the_index(app: App) -> None:
    payment = due(app)
    (page,) = app.due.until(partition_of(0), NOON, 100)
    assert app.payments.note(payment, replace(payment, due_at=None))

    assert app.due.postpone(page[0], NOON) is False
    assert sort_key(app, payment.payment_id) == ""


def test_what_vanished_is_no_error_and_is_not_made_anew(app: App) -> None:
    payment = due(app)
    (page,) = app.due.until(partition_of(0), NOON, 100)
    key = {"pk": {"S": payment.payment_id}, "sk": {"S": keys.PAYMENT}}
    app.dynamodb.delete_item(TableName="payments", Key=key)

    assert app.due.postpone(page[0], NOON) is False
    assert "Item" not in app.dynamodb.get_item(TableName="payments", Key=key)


def test_a_long_queue_gets_no_more_and_the_rest_tells_its_lag(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        due(app, number, at=NOON - number * MINUTE)
    monkeypatch.setattr(queue_room, "MAX_WAITING", 3)
    app.payments_queue.send({"payment_id": "pay_before", "traceparent": ""})

    swept = run(app)

    assert swept.sent == 2
    assert swept.oldest_left is not None
    assert NOON - 4 * MINUTE <= swept.oldest_left <= NOON - 2 * MINUTE
    assert len(messages(app.payments_queue)) == 3
    # What was left is not moved, so the next run finds it.
    assert run(app) == SweptDue(sent=3, oldest_left=None)


class RefusingQueue(Queue):
    """Takes nothing of a batch, as SQS does with entries while it throttles."""

    def send_many(self, bodies: Sequence[Mapping[str, Any]]) -> set[int]:
        return set(range(len(bodies)))


def test_a_message_that_its_queue_refuses_stays_due(app: App) -> None:
    payment, real = due(app), app.payments_queue

    app.__dict__["payments_queue"] = RefusingQueue(app.sqs, real.url)
    assert run(app) == SweptDue(sent=0, oldest_left=NOON)
    app.__dict__["payments_queue"] = real

    assert sort_key(app, payment.payment_id).startswith("2026-04-17T12:00:00.000Z")
    assert run(app).sent == 1


def test_one_run_is_bounded_and_the_next_goes_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    monkeypatch.setattr(service, "MAX_PAGES", 1)
    payments = [due(app, number) for number in range(40)]
    crowded = Counter(map(shard_of, range(40)))

    first = run(app)

    assert first == SweptDue(sent=len(crowded), oldest_left=NOON)
    for _ in range(max(crowded.values()) - 1):
        run(app)
    # A full last page can not know that it is the last; the next run finds nothing.
    assert run(app) == SweptDue(sent=0, oldest_left=None)
    sent = Counter(message["payment_id"] for message in messages(app.payments_queue))
    assert sent == Counter({payment.payment_id: 1 for payment in payments})


def test_a_run_without_time_still_looks_at_every_shard(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    for number in range(30):
        due(app, number)

    assert run(app, seconds=0).sent == len(set(map(shard_of, range(30))))


def test_items_of_one_shard_go_oldest_first(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    monkeypatch.setattr(service, "MAX_PAGES", 1)
    shared = [n for n in range(60) if shard_of(n) == shard_of(0)][:3]
    payments = [due(app, n, at=NOON - i * MINUTE) for i, n in enumerate(shared)]

    order = []
    for _ in payments:
        run(app)
        order += [message["payment_id"] for message in messages(app.payments_queue)]

    assert order == [payment.payment_id for payment in reversed(payments)]


def test_the_next_time_is_five_minutes_on(app: App, clock: FakeClock) -> None:
    payment = due(app, at=NOON - timedelta(days=2))

    run(app)

    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert stored.due_at == clock() + AGAIN_AFTER
