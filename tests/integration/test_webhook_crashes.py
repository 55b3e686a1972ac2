"""The sender dies at every point of a turn, and between the calls of whoever else is at work.

Nothing is lost: each delivery ends as delivered, or as failed with a dead letter that tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.stages import STAGES
from riel.app import App
from riel.domain.instants import to_text
from riel.errors import StoreUnavailableError
from riel.services.redeliver_webhook import redeliver
from riel.services.webhook_message import Webhook
from riel.store.deliveries import Attempt, Delivery, DeliveryStore
from tests.builders import FakeClock
from tests.deaths import Deaths, DyingBreakers, DyingClient, DyingDeliveries, DyingDue, endanger
from tests.endpoint import Endpoint
from tests.webhook_timeline import (
    Killed,
    WebhookTimeline,
    awaiting,
    delivery_of,
    retry_slowly,
    told,
)

SCHEDULE = STAGES["prod"].webhook_retry_seconds
STEPS = ("request", "record", "copy", "letter", "postpone")


@pytest.fixture
def deaths(app: App) -> Deaths:
    """Death as a part of the app."""
    deaths = Deaths()
    tables = app.dynamodb, app.config.payments_table
    client, deliveries, due = DyingClient(), DyingDeliveries(*tables), DyingDue(*tables)
    client.deaths = deliveries.deaths = due.deaths = deaths
    app.__dict__ |= {"webhook_client": client, "deliveries": deliveries, "due": due}
    app.__dict__["host_breakers"] = DyingBreakers(app)
    return deaths


@pytest.fixture
def timeline(app: App, clock: FakeClock, deaths: Deaths) -> WebhookTimeline:
    retry_slowly(app, SCHEDULE)
    timeline = WebhookTimeline(app, clock)
    endanger(timeline, deaths)
    return timeline


POINTS = [f"{when} the {step}" for step in STEPS[:3] for when in ("before", "after")]


@pytest.mark.parametrize("deaths_in_a_row", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_a_sender_that_dies_anywhere_loses_no_webhook(
    app: App,
    timeline: WebhookTimeline,
    endpoint: Endpoint,
    deaths: Deaths,
    point: str,
    deaths_in_a_row: int,
) -> None:
    endpoint.statuses = [500, 500]
    webhook = told(app, awaiting(app, endpoint.url))
    deaths.planned = [point] * deaths_in_a_row

    timeline.start(webhook)
    timeline.run()

    assert deaths.planned == [], "it died as planned"
    delivery = delivery_of(app, webhook)
    assert delivery.state == "delivered"
    unrecorded = sum(died in ("after the request", "before the record") for died in deaths.died)
    assert {headers["webhook-id"] for headers, _ in endpoint.received} == {webhook.event_id}
    assert delivery.attempt_count == len(endpoint.received) - unrecorded
    assert timeline.letters == timeline.native_letters == []


@pytest.mark.parametrize("point", ["before the record", "after the record", "before the letter"])
def test_a_sender_that_dies_at_the_end_of_a_delivery_leaves_a_letter(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, deaths: Deaths, point: str
) -> None:
    retry_slowly(app, ())
    endpoint.statuses = [500, 500]
    webhook = told(app, awaiting(app, endpoint.url))
    deaths.planned = [point]

    timeline.start(webhook)
    timeline.run()

    assert deaths.planned == []
    assert delivery_of(app, webhook).failure == "out_of_attempts"
    assert [letter["event_id"] for letter in timeline.letters] == [webhook.event_id]


class RepeatedDeliveries(DeliveryStore):
    """Each write's answer is lost, so that the client sends it again, against its own condition."""

    meanwhile: Callable[[], object] | None = None

    def save(self, before: Delivery, after: Delivery) -> bool:
        applied = DeliveryStore.save(self, before, after)
        if self.meanwhile:
            self.meanwhile()
        return DeliveryStore.save(self, before, after) if applied else False


@pytest.fixture
def repeated(app: App, timeline: WebhookTimeline) -> RepeatedDeliveries:
    """The deliveries of the app, with every answer of a write lost."""
    repeated = RepeatedDeliveries(app.dynamodb, app.config.payments_table)
    app.__dict__["deliveries"] = repeated
    return repeated


def test_a_record_whose_answer_is_lost_is_followed_by_its_letter(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, repeated: RepeatedDeliveries
) -> None:
    retry_slowly(app, ())
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))

    timeline.start(webhook)
    timeline.run()

    delivery = delivery_of(app, webhook)
    assert (delivery.state, delivery.attempt_count) == ("failed", 1)
    assert [letter["event_id"] for letter in timeline.letters] == [webhook.event_id]


def test_a_record_whose_answer_is_lost_is_followed_by_its_copy(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, repeated: RepeatedDeliveries
) -> None:
    endpoint.statuses = [500, 500]
    webhook = told(app, awaiting(app, endpoint.url))

    timeline.start(webhook)
    timeline.run()

    assert delivery_of(app, webhook).state == "delivered"
    assert [attempt.status for attempt in delivery_of(app, webhook).attempts] == [500, 500, 200]
    assert len(timeline.sent) == 3, "the copies came, and the index had nothing to bring"
    assert timeline.done == ["pending: again in 1 s", "pending: again in 2 s", "delivered"]


def test_a_record_whose_answer_is_lost_is_followed_although_another_wrote_beside_it(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, repeated: RepeatedDeliveries
) -> None:
    retry_slowly(app, ())
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))
    late = Attempt(to_text(app.clock()), 503, 1)

    def beside() -> None:
        repeated.meanwhile = None
        assert DeliveryStore.save(
            repeated, delivery_of(app, webhook), delivery_of(app, webhook).beside(late)
        )

    repeated.meanwhile = beside
    timeline.start(webhook)
    timeline.run()

    assert [attempt.status for attempt in delivery_of(app, webhook).attempts] == [500, 503]
    assert [letter["event_id"] for letter in timeline.letters] == [webhook.event_id]


def test_a_record_whose_answer_is_lost_leaves_to_who_asked_since_what_he_asked_for(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, repeated: RepeatedDeliveries
) -> None:
    retry_slowly(app, ())
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))

    def ask() -> None:
        repeated.meanwhile = None
        redeliver(app, delivery_of(app, webhook))

    repeated.meanwhile = ask
    timeline.start(webhook)
    timeline.run()

    delivery = delivery_of(app, webhook)
    assert (delivery.state, delivery.attempt_count) == ("delivered", 2)
    assert timeline.letters == []


def test_a_sender_that_dies_of_every_attempt_comes_to_an_end(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, deaths: Deaths
) -> None:
    """Poison: each turn costs its receives, and then counts as an attempt."""
    retry_slowly(app, (1, 2))
    webhook = told(app, awaiting(app, endpoint.url))
    deaths.planned = ["before the request"] * 100

    timeline.start(webhook)
    timeline.run()

    delivery = delivery_of(app, webhook)
    assert [attempt.error for attempt in delivery.attempts] == ["sender_ended"] * 3
    assert delivery.failure == "out_of_attempts"
    # What the sweeper sent meanwhile dies as well, and each that comes again makes sure of it.
    assert 1 <= len(timeline.letters) <= 5
    assert app.endpoints.get("demo", endpoint.url).failing_since is None, "it is not to blame"


@pytest.mark.parametrize("point", ["before the copy", "after the copy", "after the record"])
def test_a_request_to_send_again_that_dies_is_carried_out_once_it_is_written(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, deaths: Deaths, point: str
) -> None:
    webhook = told(app, awaiting(app, endpoint.url))
    timeline.start(webhook)
    timeline.run()
    deaths.planned = [point]

    with pytest.raises(Killed):
        redeliver(app, delivery_of(app, webhook))
    timeline.run()

    assert delivery_of(app, webhook).state == "delivered"
    assert len(endpoint.received) == 2


@pytest.mark.parametrize("point", ["before the postpone", "after the postpone"])
def test_a_sweeper_that_dies_between_its_calls_sends_again_and_nothing_is_sent_twice(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, deaths: Deaths, point: str
) -> None:
    endpoint.statuses, endpoint.headers = [503], {"Retry-After": "3600"}
    webhook = told(app, awaiting(app, endpoint.url))
    deaths.planned = [point]

    timeline.start(webhook)
    timeline.run()

    assert deaths.planned == []
    assert delivery_of(app, webhook).state == "delivered"
    assert len(endpoint.received) == 2


@pytest.mark.parametrize(
    "point", ["before the copy", "after the copy", "before the record", "after the record"]
)
def test_a_webhook_that_is_put_off_survives_its_sender(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, deaths: Deaths, point: str
) -> None:
    """Its secret can not be read for a while; the record is that of the index."""
    real = app.webhook_secrets

    class Locked:
        def __init__(self) -> None:
            self.times = 12

        def of(self, merchant: Any) -> tuple[str, ...]:
            self.times -= 1
            if self.times >= 0:
                raise StoreUnavailableError("KMS does not answer")
            return real.of(merchant)

    app.__dict__["webhook_secrets"] = Locked()
    webhook = told(app, awaiting(app, endpoint.url))
    deaths.planned = [point]

    timeline.start(webhook)
    timeline.run()

    assert deaths.planned == []
    delivery = delivery_of(app, webhook)
    assert (delivery.state, delivery.attempt_count) == ("delivered", 1)
    assert len(endpoint.received) == 1


class Life:
    """A delivery and what happens to it, one act after the other."""

    def __init__(self, timeline: WebhookTimeline, webhook: Webhook) -> None:
        self.timeline = timeline
        self.webhook = webhook
        self.turns = [1]
        self.acts: dict[str, Callable[[], object]] = {
            "receive": timeline.receive,
            "receive twice": lambda: timeline.receive(repeats=1),
            "sweep": timeline.sweep,
            "ask again": self.ask_again,
            "wait": lambda: timeline.clock.advance(90),
        }

    def act(self, name: str) -> None:
        self.acts[name]()
        delivery = self.delivery()
        self.turns.append(delivery.turn if delivery else 1)

    def delivery(self) -> Delivery | None:
        return self.timeline.app.deliveries.get(self.webhook.payment_id, self.webhook.event_id)

    def ask_again(self) -> None:
        delivery = self.delivery()
        if delivery:
            with suppress(Killed):
                redeliver(self.timeline.app, delivery)

    def end(self) -> Delivery:
        self.timeline.run()
        delivery = delivery_of(self.timeline.app, self.webhook)
        self.turns.append(delivery.turn)
        return delivery


ACTS = ("receive", "receive twice", "sweep", "ask again", "wait")
DEATHS = st.none() | st.sampled_from(
    [f"{w} the {step}" for step in STEPS for w in ("before", "after")]
)
_numbers: Iterator[int] = count()


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    acts=st.lists(st.tuples(st.sampled_from(ACTS), DEATHS), max_size=14),
    answers=st.lists(st.sampled_from([200, 500, 302, 410]), max_size=10),
    deletions_lost=st.integers(0, 1),
)
def test_whatever_happens_in_whatever_order_a_delivery_ends_and_its_turns_only_grow(
    app: App,
    clock: FakeClock,
    deaths: Deaths,
    endpoint: Endpoint,
    acts: list[tuple[str, str | None]],
    answers: list[int],
    deletions_lost: int,
) -> None:
    number = next(_numbers)
    retry_slowly(app, (1, 2, 1000))
    timeline = WebhookTimeline(app, clock, duplicates=deletions_lost)
    endanger(timeline, deaths)
    endpoint.statuses[:], endpoint.received[:] = answers, []
    deaths.planned, deaths.died = [], []
    life = Life(timeline, told(app, awaiting(app, f"{endpoint.url}&n={number}", number)))

    timeline.start(life.webhook)
    for name, death in acts:
        deaths.planned += [death] if death else []
        life.act(name)
    delivery = life.end()

    assert delivery.state in ("delivered", "failed")
    assert (delivery.next_at, delivery.due_at) == (None, None)
    assert life.turns == sorted(life.turns)
    statuses = [attempt.status for attempt in delivery.attempts if attempt.status]
    unrecorded = sum(died in ("after the request", "before the record") for died in deaths.died)
    assert len(statuses) <= len(endpoint.received) <= len(statuses) + unrecorded
    assert delivery.state == "failed" or 200 in statuses
    if delivery.state == "failed" and delivery.failure != "endpoint_stopped":
        letters = [*timeline.letters, *timeline.native_letters]
        assert life.webhook.event_id in {letter["event_id"] for letter in letters}
