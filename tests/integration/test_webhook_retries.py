"""Deliveries over days, on the test's own clock, with a real endpoint: when what is tried again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from standardwebhooks import Webhook as Verifier

from infra.stages import STAGES
from riel.app import App
from riel.domain.instants import from_text
from riel.domain.payment import Status
from riel.services.deliver_webhook import deliver_webhook
from riel.services.endpoint_health import STOP_AFTER
from riel.services.redeliver_webhook import redeliver
from riel.services.rotate_webhook_secret import OVERLAP, rotate_webhook_secret
from riel.services.webhook_message import Webhook
from riel.store.deliveries import COPY_GRACE, Delivery
from riel.store.endpoints import EndpointStore
from riel.store.queues import MAX_DELAY_SECONDS
from tests.builders import NOON, WEBHOOK_SECRET, FakeClock
from tests.endpoint import Endpoint
from tests.payments import advance
from tests.webhook_timeline import (
    WebhookTimeline,
    awaiting,
    delivery_of,
    retry_slowly,
    told,
)

SCHEDULE = STAGES["prod"].webhook_retry_seconds
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
ALWAYS = 10_000


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> WebhookTimeline:
    retry_slowly(app, SCHEDULE)
    return WebhookTimeline(app, clock)


def gaps(delivery: Delivery) -> list[float]:
    """Seconds between the attempts."""
    times = [from_text(attempt.at) for attempt in delivery.attempts]
    return [(late - early).total_seconds() for early, late in pairwise(times)]


def test_fc_71_a_sink_that_answers_500_500_200_gets_three_attempts_with_one_id_and_growing_gaps(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 500]
    webhook = told(app, awaiting(app, endpoint.url))

    timeline.start(webhook)
    timeline.run()

    (first, second, third) = [headers for headers, _ in endpoint.received]
    assert {h["webhook-id"] for h in (first, second, third)} == {webhook.event_id}
    stamps = [int(h["webhook-timestamp"]) for h in (first, second, third)]
    assert [late - early for early, late in pairwise(stamps)] == [1, 2]
    assert {body for _, body in endpoint.received} == {webhook.body.encode()}
    assert len({h["webhook-signature"] for h in (first, second, third)}) == 3
    delivery = delivery_of(app, webhook)
    assert (delivery.state, gaps(delivery)) == ("delivered", [1, 2])
    assert [attempt.status for attempt in delivery.attempts] == [500, 500, 200]


def test_fc_72_what_is_sent_is_the_event_s_version_although_the_payment_changed(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]
    payment = awaiting(app, endpoint.url)
    waits = told(app, payment)
    timeline.start(waits)
    timeline.receive()

    completed = told(app, advance(app, payment, Status.COMPLETED, received_minor=10_050))
    timeline.start(completed)
    timeline.run()

    bodies = {h["webhook-id"]: body for h, body in endpoint.received}
    assert bodies == {
        waits.event_id: waits.body.encode(),
        completed.event_id: completed.body.encode(),
    }
    stale, last = (body["data"] for body in (endpoint.bodies()[0], endpoint.bodies()[1]))
    assert (stale["status"], last["status"]) == ("awaiting_payment", "completed")
    assert stale["sequence"] < last["sequence"], "by which a merchant drops what comes late"
    assert endpoint.bodies()[2] == endpoint.bodies()[0]


def test_fc_72_a_secret_that_is_rotated_between_attempts_gives_two_signatures_for_a_day(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500] * ALWAYS
    timeline.start(told(app, awaiting(app, endpoint.url)))
    timeline.run(until=NOON + timedelta(minutes=1))
    before = len(endpoint.received)

    new = rotate_webhook_secret(app, "demo")
    ends = app.clock() + OVERLAP
    timeline.run(until=ends)
    during = len(endpoint.received)
    timeline.run()

    signatures = [h["webhook-signature"].split(" ") for h, _ in endpoint.received]
    assert {len(one) for one in signatures[:before]} == {1}
    assert {len(one) for one in signatures[before:during]} == {2}
    assert {len(one) for one in signatures[during:]} == {1}
    headers, body = endpoint.received[before]
    at = NOON.fromtimestamp(int(headers["webhook-timestamp"]), NOON.tzinfo)
    by_new, by_old = (
        Verifier(secret).sign(headers["webhook-id"], at, body.decode())
        for secret in (new.webhook_secret, WEBHOOK_SECRET)
    )
    assert signatures[before] == [by_new, by_old]


def test_fc_71_410_stops_the_endpoint_and_nothing_is_sent_there_any_more(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 410]
    begun, gone, later = (told(app, awaiting(app, endpoint.url, n)) for n in range(3))
    timeline.start(begun)
    timeline.receive()
    timeline.start(gone)
    timeline.run()
    timeline.start(later)
    timeline.run()

    assert len(endpoint.received) == 2
    states = [delivery_of(app, webhook) for webhook in (begun, gone, later)]
    assert [(one.state, one.failure, one.attempt_count) for one in states] == [
        ("failed", "endpoint_stopped", 1),
        ("failed", "gone", 1),
        ("failed", "endpoint_stopped", 0),
    ]
    # The endpoint itself is what a person is told of, so its other deliveries send no letters.
    assert [letter["event_id"] for letter in timeline.letters] == [gone.event_id]
    assert app.endpoints.get("demo", endpoint.url).why == "gone"
    assert app.due.count("endpoints#stopped") == 1


def test_fc_71_a_delivery_that_a_person_asks_for_opens_a_stopped_endpoint_by_its_success(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [410, 500]
    gone, later = (told(app, awaiting(app, endpoint.url, n)) for n in range(2))
    timeline.start(gone)
    timeline.run()

    redeliver(app, delivery_of(app, gone))
    timeline.run()
    timeline.start(later)
    timeline.run()

    asked = delivery_of(app, gone)
    assert [attempt.status for attempt in asked.attempts] == [410, 500, 200]
    assert delivery_of(app, later).state == "delivered"
    assert app.endpoints.get("demo", endpoint.url).is_stopped is False
    assert app.due.count("endpoints#stopped") == 0


@pytest.mark.parametrize("duplicates", [0, 1, 2])
def test_three_days_of_failures_are_the_schedule_s_attempts_and_a_bounded_number_of_messages(
    app: App, clock: FakeClock, endpoint: Endpoint, duplicates: int
) -> None:
    """However often each message comes; the sweeper runs every minute of the three days."""
    retry_slowly(app, SCHEDULE)
    timeline = WebhookTimeline(app, clock, duplicates=duplicates)
    endpoint.statuses = [500] * ALWAYS
    webhook = told(app, awaiting(app, endpoint.url))

    timeline.start(webhook)
    timeline.run()

    delivery = delivery_of(app, webhook)
    assert (delivery.state, delivery.failure) == ("failed", "out_of_attempts")
    assert delivery.attempt_count == len(endpoint.received) == len(SCHEDULE) + 1
    assert len(timeline.sent) == len(SCHEDULE) + 1, "one for each attempt, and none beside"
    assert len(timeline.letters) == 1 + duplicates
    near = [n for n, wait in enumerate(SCHEDULE) if wait < MAX_DELAY_SECONDS / 1.2]
    for n, (gap, wait) in enumerate(zip(gaps(delivery), SCHEDULE, strict=True)):
        # What is far comes with the sweeper's minute.
        assert 0.8 * wait - 0.5 <= gap <= 1.2 * wait + (0.5 if n in near else 61)
    assert 2 * 24 * HOUR < clock() - NOON < 4 * 24 * HOUR


def test_a_copy_that_is_lost_is_made_good_by_the_sweeper_within_minutes(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))
    timeline.start(webhook)
    timeline.receive()

    timeline.waiting.clear()
    timeline.run()

    delivery = delivery_of(app, webhook)
    assert delivery.state == "delivered"
    assert gaps(delivery)[0] <= (COPY_GRACE + timedelta(minutes=1)).total_seconds() + 1


def test_a_queue_that_is_hours_behind_multiplies_nothing(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint, clock: FakeClock
) -> None:
    endpoint.statuses = [500] * ALWAYS
    webhook = told(app, awaiting(app, endpoint.url))
    timeline.start(webhook)
    timeline.receive()
    for _ in range(120):  # minutes in which the sender takes nothing, and the sweeper goes on
        clock.advance(60)
        timeline.sweep()

    timeline.run()

    delivery = delivery_of(app, webhook)
    assert delivery.attempt_count == len(endpoint.received) == len(SCHEDULE) + 1
    # Every five minutes one, while nobody acted; each of them found its turn over.
    assert len(timeline.sent) <= len(SCHEDULE) + 1 + 120 / 5
    assert len(timeline.letters) == 1


def failing_hourly(app: App, timeline: WebhookTimeline, url: str, hours: range) -> list[Webhook]:
    """New events at these hours, each with its run of the schedule."""
    webhooks = []
    for hour in hours:
        timeline.run(until=NOON + hour * HOUR)
        webhooks.append(told(app, awaiting(app, url, hour)))
        timeline.start(webhooks[-1])
    timeline.run(until=timeline.clock())
    return webhooks


def test_fc_71_an_endpoint_that_fails_for_three_days_is_stopped(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500] * ALWAYS

    failing_hourly(app, timeline, endpoint.url, range(0, 72, 12))
    before = app.endpoints.get("demo", endpoint.url)
    failing_hourly(app, timeline, endpoint.url, range(73, 74))
    stopped = app.endpoints.get("demo", endpoint.url)
    tried = len(endpoint.received)
    (later,) = failing_hourly(app, timeline, endpoint.url, range(75, 76))
    timeline.run()

    assert (before.is_stopped, before.failing_since) == (False, NOON)
    assert stopped.stopped_at is not None
    assert stopped.stopped_at - NOON >= STOP_AFTER
    assert stopped.why == "failing"
    assert len(endpoint.received) == tried
    failed = delivery_of(app, later)
    assert (failed.state, failed.failure, failed.attempts) == ("failed", "endpoint_stopped", ())


def test_fc_71_one_success_within_three_days_clears_an_endpoint(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500] * ALWAYS
    failing_hourly(app, timeline, endpoint.url, range(0, 60, 12))
    assert app.endpoints.get("demo", endpoint.url).failing_since == NOON

    endpoint.statuses = []
    failing_hourly(app, timeline, endpoint.url, range(61, 62))
    endpoint.statuses = [500] * ALWAYS
    failing_hourly(app, timeline, endpoint.url, range(74, 100, 12))

    since = app.endpoints.get("demo", endpoint.url).failing_since
    assert since is not None
    assert since >= NOON + 62 * HOUR


@pytest.mark.parametrize(("hours", "is_stopped"), [(35, True), (37, False)])
def test_fc_71_failures_that_are_further_apart_than_any_wait_are_not_one_failure(
    app: App, clock: FakeClock, endpoint: Endpoint, hours: int, is_stopped: bool
) -> None:
    retry_slowly(app, ())
    endpoint.statuses = [500] * ALWAYS

    for number in range(4):
        deliver_webhook(app, told(app, awaiting(app, endpoint.url, number)))
        clock.advance(hours * 3600)

    assert app.endpoints.get("demo", endpoint.url).is_stopped is is_stopped


def test_a_success_after_a_failure_clears_what_another_environment_knows_of(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))
    other = EndpointStore(app.dynamodb, app.config.payments_table, app.clock)
    known_by = other.get("demo", endpoint.url).endpoint_id
    timeline.start(webhook)
    timeline.receive()
    # The retry meets an environment that has read the endpoint just before it failed.
    app.__dict__["endpoints"] = other

    timeline.run()

    stored = other.read(known_by)
    assert stored is not None
    assert stored.failing_since is None


def test_fc_71_a_thousand_deliveries_that_wait_for_an_hour_hold_nothing_in_flight(
    app: App, clock: FakeClock, endpoint: Endpoint
) -> None:
    """Counted on SQS's own figures; an hour later the sweeper brings all of them in minutes."""
    endpoint.statuses, endpoint.headers = [503] * 1000, {"Retry-After": "3600"}
    retry_slowly(app, SCHEDULE)
    body = '{"type":"payment.completed"}'
    relayed = [
        Webhook("demo", f"pay_{n}", f"evt_{n}", 1, 0, "payment.completed", endpoint.url, at, body)
        for n, at in enumerate(["2026-04-17T12:00:00.000Z"] * 1000)
    ]

    done = Counter(deliver_webhook(app, webhook) for webhook in relayed)

    assert done == {"pending: again in 3600 s": 1000}
    assert app.webhooks_queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 0}
    entries = sum(app.due.count(f"webhooks#{shard:02d}") for shard in range(16))
    assert entries == 1000

    clock.advance(3599)
    timeline = WebhookTimeline(app, clock)
    assert timeline.sweep() == 0
    clock.advance(1)
    for _ in range(4):  # minutes: one merchant has its share of each run
        assert timeline.sweep() > 0
        clock.advance(60)
    assert Counter((m["event_id"], m["turn"]) for m in timeline.sent) == Counter(
        (f"evt_{n}", 2) for n in range(1000)
    )
    assert timeline.sweep() == 0, "what was sent is moved on"
