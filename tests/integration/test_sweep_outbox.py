"""Events without an effect are published again, whatever became of the relay."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.deadline import Deadline
from riel.domain.events import payment_moved
from riel.domain.instants import to_text
from riel.domain.payment import Applied, Attention, Change, Payment, Status, apply
from riel.services import queue_room
from riel.services import sweep_outbox as service
from riel.services.queue_room import QueueRoom
from riel.services.sweep_outbox import SweptLane, sweep_lane
from riel.store import keys
from riel.store.deliveries import DELIVERED, Attempt, Delivery
from riel.store.outbox import Page, Place
from riel.store.payments import Claimed
from riel.store.queues import Queue
from tests.builders import NOON, FakeClock, lane_at, make_payment, store_payment

AGE = 300
LEASE = timedelta(seconds=20)


def run(app: App, age_seconds: int = AGE, seconds: float = 60) -> SweptLane:
    return sweep_lane(app, age_seconds, QueueRoom(), Deadline(seconds))


def catch_up(app: App, age_seconds: int = AGE) -> list[SweptLane]:
    """Run until the lane is where it wants to be; at least once."""
    lanes = [run(app, age_seconds)]
    while lanes[-1].behind:
        assert len(lanes) < 100, f"no end: {lanes[-1]}"
        lanes.append(run(app, age_seconds))
    return lanes


def messages(queue: Queue) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while batch := queue.receive(30):
        for message in batch:
            found.append(json.loads(message.body))
            queue.delete(message.receipt)
    return found


def begin(app: App) -> None:
    """Both lanes have come to noon."""
    for age in (AGE, 3600):
        assert app.watermarks.move(age, None, lane_at(app, NOON))


def claim(app: App, payment: Payment, at: datetime) -> Payment:
    claimed = app.payments.claim(payment.payment_id, at, LEASE)
    assert isinstance(claimed, Claimed)
    return claimed.payment


def complete(app: App, payment: Payment, at: datetime) -> Payment:
    before = claim(app, payment, at)
    applied = apply(before, Change(Status.COMPLETED, at, "gateway_charged", received_minor=10_050))
    assert isinstance(applied, Applied)
    after = applied.payment
    app.payments.record(before, after, payment_moved(ids.event_id(after.payment_id, 3), after))
    return after


def deliver(app: App, payment: Payment) -> None:
    """Record that the merchant was told of a completed payment."""
    begun = Delivery(
        payment_id=payment.payment_id,
        event_id=ids.event_id(payment.payment_id, 3),
        merchant_id=payment.merchant_id,
        type="payment.completed",
        url="http://x",
        event_at=payment.history[-1].at,
    )
    done = replace(begun.after(Attempt("t", 200, 1)), state=DELIVERED)
    assert app.deliveries.save(begun, done)


def store_at(app: App, at: datetime, number: int = 0, **fields: Any) -> Payment:
    created = replace(make_payment().history[0], at=at)
    return store_payment(app, idempotency_key=f"key-{number}", history=(created,), **fields)


def spoil_outbox(app: App, at: datetime) -> None:
    item = {"pk": {"S": keys.outbox_partition(at, 0)}, "sk": {"S": f"{to_text(at)}#poison"}}
    app.dynamodb.put_item(TableName="outbox", Item={**item, "type": {"S": "?"}})


def test_fc_60_a_relay_that_is_down_for_longer_than_the_stream_keeps_loses_no_event(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SHARDS", 1)  # or there are 25,000 queries
    begin(app)
    payments = []
    for hour in range(13):  # the stream forgets after 24
        clock.advance(7200)
        payments.append(store_at(app, clock(), hour))
        done = store_at(app, clock(), 100 + hour)
        complete(app, done, clock())
        payments.append(done)
    clock.advance(AGE + 60)

    lanes = catch_up(app)

    # Bounded work in each run, and its lag tells how much is left.
    assert len(lanes) == 27
    behind = [lane.behind for lane in lanes]
    assert behind[0] > timedelta(hours=24)
    assert behind == sorted(behind, reverse=True)
    begun = [m["payment_id"] for m in messages(app.payments_queue)]
    assert Counter(begun) == Counter(p.payment_id for p in payments[::2])
    told = messages(app.webhooks_queue)
    assert Counter(m["payment_id"] for m in told) == Counter(p.payment_id for p in payments[1::2])
    assert {m["type"] for m in told} == {"payment.completed"}
    assert run(app).republished == 0


def test_what_had_its_effect_is_not_published_again(app: App, clock: FakeClock) -> None:
    begin(app)
    payment = complete(app, store_at(app, clock()), clock())
    deliver(app, payment)
    canceled = store_at(app, clock(), 1)
    applied = apply(canceled, Change(Status.CANCELED, clock(), "merchant"))
    assert isinstance(applied, Applied)
    event = payment_moved(ids.event_id(canceled.payment_id, 2), applied.payment)
    assert app.payments.move(canceled, applied.payment, replace(event, webhook_url=None))
    clock.advance(AGE + 60)

    assert catch_up(app)[-1].republished == 0
    assert messages(app.payments_queue) + messages(app.webhooks_queue) == []


def test_an_event_is_left_alone_until_it_has_the_lane_s_age(app: App, clock: FakeClock) -> None:
    begin(app)
    store_at(app, NOON)

    clock.advance(AGE + 59)
    assert run(app).republished == 0
    clock.advance(1)
    assert run(app).republished == 1
    assert run(app).republished == 0


def test_every_lane_looks_once_more_for_what_its_message_lost(app: App, clock: FakeClock) -> None:
    begin(app)
    store_at(app, NOON)
    clock.advance(AGE + 60)
    assert run(app).republished == 1
    assert messages(app.payments_queue)

    clock.advance(3600)
    assert catch_up(app)[-1].republished == 0
    assert sum(lane.republished for lane in catch_up(app, 3600)) == 1


def processing(app: App, number: int, at: datetime, **fields: Any) -> Payment:
    """A payment whose worker has given its claim back."""
    payment = claim(app, store_at(app, at, number), at)
    assert app.payments.release(replace(payment, **fields))
    return payment


def test_a_claim_that_was_given_up_is_brought_back_unless_something_else_does_that(
    app: App, clock: FakeClock
) -> None:
    begin(app)
    crashed = claim(app, store_at(app, NOON, 1), NOON)
    given_up = processing(app, 2, NOON)
    processing(app, 3, NOON, due_at=NOON + timedelta(days=1))
    processing(
        app, 4, NOON, attention=Attention.DEAD_LETTER, attention_reason="psp_unmapped_status: ?"
    )
    clock.advance(AGE + 60)
    claim(app, store_at(app, NOON, 5), clock())  # a worker has it at this moment

    assert run(app).republished == 2

    found = {message["payment_id"] for message in messages(app.payments_queue)}
    assert found == {crashed.payment_id, given_up.payment_id}


def test_a_payment_that_waits_in_a_short_delay_is_not_disturbed(app: App, clock: FakeClock) -> None:
    begin(app)
    payment = claim(app, store_at(app, NOON), clock())
    clock.advance(AGE + 60)
    sent_at_ms = int((clock() - timedelta(seconds=30)).timestamp() * 1000)
    assert app.payments.release(replace(payment, quiet_since_ms=sent_at_ms))

    assert run(app).republished == 0


def test_a_payment_without_a_webhook_address_owes_nobody_a_message(
    app: App, clock: FakeClock
) -> None:
    begin(app)
    complete(app, store_at(app, NOON, webhook_url=None), NOON)
    clock.advance(AGE + 60)

    assert run(app).republished == 0


def test_what_nobody_can_read_holds_nothing_up(app: App, clock: FakeClock) -> None:
    begin(app)
    spoil_outbox(app, NOON)
    payment = store_at(app, NOON)
    clock.advance(AGE + 60)

    lane = run(app)

    assert (lane.unreadable, lane.republished, lane.behind) == (1, 1, timedelta())
    assert [m["payment_id"] for m in messages(app.payments_queue)] == [payment.payment_id]


def test_an_event_whose_payment_is_gone_is_told_and_passed(app: App, clock: FakeClock) -> None:
    begin(app)
    payment = store_at(app, NOON)
    key = {"pk": {"S": payment.payment_id}, "sk": {"S": "payment"}}
    app.dynamodb.delete_item(TableName="payments", Key=key)
    clock.advance(AGE + 60)

    lane = run(app)

    assert (lane.republished, lane.behind) == (0, timedelta())


class StubbornQueue(Queue):
    """Refuses every second message."""

    def send_many(self, bodies: Any) -> set[int]:
        odd = set(range(1, len(bodies), 2))
        super().send_many([body for n, body in enumerate(bodies) if n not in odd])
        return odd


def test_the_watermark_waits_at_a_page_whose_events_were_not_all_taken(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SHARDS", 1)
    begin(app)
    payments = [store_at(app, NOON, number) for number in range(4)]
    clock.advance(AGE + 180)
    real = app.payments_queue
    app.__dict__["payments_queue"] = StubbornQueue(app.sqs, real.url)

    lane = run(app)
    assert (lane.republished, lane.until) == (2, NOON)
    assert lane.behind == timedelta(minutes=3)

    app.__dict__["payments_queue"] = real
    run(app)
    found = {message["payment_id"] for message in messages(real)}
    assert found == {payment.payment_id for payment in payments}


def test_while_a_queue_is_long_the_lane_waits_instead_of_making_it_longer(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app)
    store_at(app, NOON)
    clock.advance(AGE + 60)
    monkeypatch.setattr(queue_room, "MAX_WAITING", 1)
    app.payments_queue.send({"payment_id": "pay_before", "traceparent": ""})

    assert run(app).until == NOON
    assert len(messages(app.payments_queue)) == 1

    assert run(app).republished == 1


def test_of_two_sweepers_one_moves_the_watermark_and_the_other_stops(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(app)
    store_at(app, NOON)
    clock.advance(AGE + 300)
    slow_page = app.outbox.page

    def page(place: Place, limit: int) -> Page:
        if place == Place(NOON):  # while this one reads, the other does all of it
            monkeypatch.setattr(app.outbox, "page", slow_page)
            assert run(app).behind == timedelta()
        return slow_page(place, limit)

    monkeypatch.setattr(app.outbox, "page", page)
    lane = run(app)

    assert lane.until == NOON
    assert app.watermarks.get(AGE) == lane_at(app, NOON + timedelta(minutes=5))
    assert len(messages(app.payments_queue)) <= 2


def test_a_run_ends_when_its_time_is_over(app: App, clock: FakeClock) -> None:
    begin(app)
    clock.advance(7200)

    lane = run(app, seconds=0)

    assert lane.until == NOON
    assert lane.behind == timedelta(seconds=7200 - AGE)


def test_a_new_stage_begins_a_quarter_of_an_hour_back(app: App, clock: FakeClock) -> None:
    store_at(app, NOON - timedelta(seconds=AGE + 901), 1)
    younger = store_at(app, NOON - timedelta(seconds=AGE + 899), 2)

    lane = run(app)

    assert lane.behind == timedelta()
    assert [m["payment_id"] for m in messages(app.payments_queue)] == [younger.payment_id]


def test_a_sweeper_that_slept_for_weeks_begins_where_the_outbox_does(
    app: App, clock: FakeClock
) -> None:
    begin(app)
    clock.advance(30 * 86_400)

    lane = run(app)

    assert lane.until == clock() - timedelta(days=14) + timedelta(minutes=service.MAX_MINUTES)


def test_a_healthy_payment_costs_a_fraction_of_a_write_to_check(app: App, clock: FakeClock) -> None:
    """Counted: one read of its delivery; that it moved is proven by its own later event."""
    begin(app)
    for number in range(20):
        done = complete(app, store_at(app, NOON, number), NOON + timedelta(seconds=1))
        deliver(app, done)
    clock.advance(AGE + 60)
    calls: Counter[str] = Counter()
    asked: Counter[str] = Counter()

    def note(model: Any, params: Any, **_: Any) -> None:
        calls[model.name] += 1
        if model.name == "BatchGetItem":
            body = json.loads(params["body"])["RequestItems"]["payments"]
            asked[str(body["ConsistentRead"])] += len(body["Keys"])

    app.dynamodb.meta.events.register("before-call.dynamodb", note)
    lane = run(app)

    assert (lane.republished, lane.behind) == (0, timedelta())
    # Of twenty payments: twenty half units, and what stands in sixteen shards of the minute.
    assert asked == {"False": 20}
    assert calls.pop("BatchGetItem") <= 16, "at most one for each shard"
    assert calls == {"GetItem": 1, "Query": 16, "UpdateItem": 1}
    # A query reads half a unit for 4 KB, whatever the number of items in them.
    events = app.dynamodb.scan(TableName="outbox")["Items"]
    outbox_units = sum(len(json.dumps(event)) for event in events) / 4096 / 2
    assert outbox_units / 20 + 0.5 < 1, "less than a read unit, a fifth of the price of a write"
