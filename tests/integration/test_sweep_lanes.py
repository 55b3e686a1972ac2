"""A lane's places: a queue that is full holds up itself alone, and no work is without a bound."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from riel import ids
from riel.app import App
from riel.deadline import Deadline
from riel.domain.events import payment_moved
from riel.domain.payment import Applied, Change, Payment, Status, apply
from riel.errors import StoreUnavailableError
from riel.services import queue_room
from riel.services import sweep_outbox as service
from riel.services.process_payment import Step, process_payment
from riel.services.queue_room import QueueRoom
from riel.services.sweep_outbox import SweptLane, sweep_lane
from riel.store import keys
from riel.store.outbox import Page, Place
from riel.store.payments import Claimed
from riel.store.queues import Queue
from tests.builders import NOON, FakeClock, lane_at, make_payment, store_payment

AGE = 300
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """All events of a minute lie together, so that a test can say which come in one page."""
    monkeypatch.setattr(keys, "SHARDS", 1)


@pytest.fixture(autouse=True)
def _begun(app: App) -> None:
    """The lane has come to noon."""
    assert app.watermarks.move(AGE, None, lane_at(app, NOON))


def run(app: App, deadline: Deadline | None = None) -> SweptLane:
    return sweep_lane(app, AGE, QueueRoom(), deadline or Deadline(60))


def store_at(app: App, at: datetime, number: int, **fields: Any) -> Payment:
    created = replace(make_payment().history[0], at=at)
    return store_payment(app, idempotency_key=f"key-{number}", history=(created,), **fields)


def complete(app: App, payment: Payment, at: datetime) -> Payment:
    claimed = app.payments.claim(payment.payment_id, at, timedelta(seconds=20))
    assert isinstance(claimed, Claimed)
    before = claimed.payment
    applied = apply(before, Change(Status.COMPLETED, at, "gateway_charged", received_minor=10_050))
    assert isinstance(applied, Applied)
    after = applied.payment
    app.payments.record(before, after, payment_moved(ids.event_id(after.payment_id, 3), after))
    return after


def taken_from(queue: Queue) -> Counter[str]:
    """Take all that can be received; by payment."""
    found: Counter[str] = Counter()
    while batch := queue.receive(30):
        for message in batch:
            found[json.loads(message.body)["payment_id"]] += 1
            queue.delete(message.receipt)
    return found


def names(*payments: Payment) -> Counter[str]:
    return Counter(payment.payment_id for payment in payments)


def place_of(app: App, queue: Queue) -> Place:
    places = app.watermarks.get(AGE)
    assert places is not None
    return places[queue.name]


def test_while_a_gateway_is_down_the_sweeper_does_not_multiply_what_waits_for_it(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 12)
    app.config = replace(app.config, gateway_retry_seconds=(300,))
    queue = app.payments_queue
    payments = [store_at(app, NOON, n) for n in range(12)]
    for payment in payments:  # relayed as ever; then the gateway goes down
        queue.send({"payment_id": payment.payment_id, "gateway": "simulator", "traceparent": ""})
    clock.advance(AGE + 60)

    for _ in range(5):
        for _ in range(app.config.breaker_failures):
            app.breakers.of("simulator").failed(clock())
        while batch := queue.receive(30):
            for message in batch:
                step = Step.read(json.loads(message.body))
                assert "the breaker is open" in process_payment(app, step, receives=1)
                queue.delete(message.receipt)
        run(app)
        clock.advance(60)

    depth = queue.depth()
    assert depth["visible"] + depth["delayed"] == len(payments)


def test_a_queue_that_is_full_keeps_its_place_while_the_others_go_on(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 3)
    begun = [store_at(app, NOON + n * MINUTE, n) for n in range(3)]
    told = [store_at(app, NOON + n * MINUTE, 10 + n) for n in range(3)]
    for payment in told:
        complete(app, payment, payment.history[0].at)
    for _ in range(3):
        app.payments_queue.send({"payment_id": "pay_before", "traceparent": ""}, delay_seconds=900)
    clock.advance(AGE + 180)

    first, second = run(app), run(app)

    assert (first.republished, second.republished) == (3, 0)
    assert taken_from(app.webhooks_queue) == names(*told), "each once, beside the full queue"
    assert place_of(app, app.payments_queue) == Place(NOON)
    assert place_of(app, app.webhooks_queue) == Place(NOON + 3 * MINUTE)
    assert first.behind == second.behind == 3 * MINUTE, "what is held back is told"

    monkeypatch.setattr(queue_room, "MAX_WAITING", 100)
    last = run(app)

    assert (last.republished, last.behind) == (3, timedelta())
    assert taken_from(app.payments_queue) == names(*begun)
    assert taken_from(app.webhooks_queue) == Counter()
    assert run(app).republished == 0


def test_who_is_in_front_goes_before_a_queue_that_has_much_to_catch_up(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_MINUTES", 10)
    hour = NOON + 60 * MINUTE
    places = {app.payments_queue.name: Place(NOON), app.webhooks_queue.name: Place(hour)}
    assert app.watermarks.move(AGE, lane_at(app, NOON), places)
    paid = complete(app, store_at(app, hour, 1), hour)
    clock.advance(3600 + 60 + AGE)

    run(app)

    assert taken_from(app.webhooks_queue) == names(paid)
    assert place_of(app, app.webhooks_queue) == Place(hour + MINUTE)
    assert place_of(app, app.payments_queue) == Place(NOON + 9 * MINUTE)


def test_a_page_that_does_not_fit_uses_up_no_room(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 3)
    for n in range(5):
        store_at(app, NOON, n)
    clock.advance(AGE + 60)
    room = QueueRoom()

    assert sweep_lane(app, AGE, room, Deadline(60)).republished == 0

    assert taken_from(app.payments_queue) == Counter()
    assert room.take(app.payments_queue, 5) == 3
    assert not room.take_all(app.payments_queue, 1)


class Looks(Deadline):
    """A time that is over after so many looks at it."""

    def __init__(self, looks: int) -> None:
        super().__init__(60)
        self._looks = looks

    @property
    def is_over(self) -> bool:
        self._looks -= 1
        return self._looks < 0


def test_a_run_may_end_inside_a_minute_and_the_next_goes_on_there(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    pages = noted_pages(app, monkeypatch)
    payments = [store_at(app, NOON + timedelta(milliseconds=n), n) for n in range(7)]
    clock.advance(AGE + 60)

    first = run(app, Looks(2))

    assert (first.republished, first.until) == (4, NOON)
    between = place_of(app, app.payments_queue)
    assert Place(NOON) < between < Place(NOON + MINUTE)

    second = run(app)

    assert (second.republished, second.behind) == (3, timedelta())
    assert taken_from(app.payments_queue) == names(*payments)
    assert max(len(page.entries) for page in pages) == 2, "never more than a page at a time"


def noted_pages(app: App, monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    pages: list[Page] = []
    real = app.outbox.page

    def page(place: Place, limit: int) -> Page:
        pages.append(real(place, limit))
        return pages[-1]

    monkeypatch.setattr(app.outbox, "page", page)
    return pages


def test_what_a_run_published_before_it_failed_is_not_published_by_the_next(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    payments = [store_at(app, NOON + timedelta(milliseconds=n), n) for n in range(4)]
    clock.advance(AGE + 60)
    real = app.outbox.page

    def page(place: Place, limit: int) -> Page:
        if place.after:
            raise StoreUnavailableError("throttled")
        return real(place, limit)

    monkeypatch.setattr(app.outbox, "page", page)
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            run(app)
    monkeypatch.setattr(app.outbox, "page", real)
    run(app)

    assert taken_from(app.payments_queue) == names(*payments)


def test_events_of_one_payment_in_two_pages_are_looked_up_and_not_published(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    payment = store_at(app, NOON, 1, webhook_url=None)
    complete(app, payment, NOON + timedelta(seconds=1))
    clock.advance(AGE + 60)

    lane = run(app)

    assert (lane.republished, lane.behind) == (0, timedelta())


def test_events_of_one_payment_and_minute_lie_in_one_shard(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the later one proves, beside the first, that the payment moved."""
    monkeypatch.setattr(keys, "SHARDS", 16)
    for n in range(20):
        complete(app, store_at(app, NOON, n), NOON + timedelta(seconds=1))

    events = app.dynamodb.scan(TableName="outbox")["Items"]
    shards = {(event["payment_id"]["S"], event["pk"]["S"]) for event in events}
    assert (len(events), len(shards)) == (40, 20)
    assert len({shard for _, shard in shards}) > 1


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(hours=2)])
def test_fc_73_a_watermark_that_a_wrong_clock_set_ahead_hides_no_minute(
    app: App, clock: FakeClock, ahead: timedelta
) -> None:
    assert app.watermarks.move(AGE, lane_at(app, NOON), lane_at(app, NOON + ahead))
    assert run(app).behind == timedelta()

    payments = []
    for n in range(5):
        payments.append(store_at(app, clock(), n))
        clock.advance(60)
        run(app)
    clock.advance(AGE)
    run(app)

    assert taken_from(app.payments_queue) == names(*payments)


def test_a_gateway_that_gets_a_queue_of_its_own_or_loses_it_loses_no_event(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = store_at(app, NOON, 1, gateway="standby")
    clock.advance(AGE + 60)
    monkeypatch.setattr(queue_room, "MAX_WAITING", 0)
    run(app)  # the shared queue is held back with the event in it
    monkeypatch.setattr(queue_room, "MAX_WAITING", 100)
    url = boto3.client("sqs").create_queue(QueueName="payments-standby")["QueueUrl"]
    config = app.config

    app.config = replace(config, gateway_queues={"standby": url})
    app.__dict__.pop("_gateway_queues", None)
    run(app)
    own = app.gateway_queue("standby")
    assert taken_from(own) == names(shared)

    later = store_at(app, clock(), 2, gateway="standby")
    clock.advance(AGE + 60)
    monkeypatch.setattr(queue_room, "MAX_WAITING", 0)
    run(app)
    monkeypatch.setattr(queue_room, "MAX_WAITING", 100)
    app.config = config
    app.__dict__.pop("_gateway_queues", None)
    run(app)

    assert taken_from(app.payments_queue) == names(later)
    assert taken_from(own) == Counter()


def test_a_queue_that_can_not_be_counted_fails_as_a_store_does(app: App) -> None:
    gone = Queue(app.sqs, app.payments_queue.url + "-gone")
    with pytest.raises(StoreUnavailableError):
        QueueRoom().take(gone, 1)
    with pytest.raises(StoreUnavailableError):
        QueueRoom({gone.url}).take_all(gone, 1)
