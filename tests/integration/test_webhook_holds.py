"""Webhooks whose host hangs, or never has its turn: what holding them costs, and how it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from infra.stages import STAGES
from riel.app import App
from riel.services.deliver_webhook import deliver_webhook
from riel.services.redeliver_webhook import redeliver
from riel.services.webhook_message import MAX_COPIES, Webhook
from riel.store.deliveries import Delivery, DeliveryStore
from tests.builders import NOON, FakeClock
from tests.endpoint import Endpoint
from tests.webhook_timeline import (
    WebhookTimeline,
    admit_none,
    awaiting,
    delivery_of,
    hang,
    retry_slowly,
    told,
)

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
ALWAYS = 10_000
HANGING = "https://hang.example.com"


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> WebhookTimeline:
    retry_slowly(app, STAGES["prod"].webhook_retry_seconds)
    return WebhookTimeline(app, clock)


def relayed_together(app: App, timeline: WebhookTimeline, number: int) -> list[Webhook]:
    """Events at one time, each with a URL of its own at one host."""
    webhooks = [told(app, awaiting(app, f"{HANGING}/{n}", n)) for n in range(number)]
    for webhook in webhooks:
        timeline.start(webhook)
    return webhooks


def test_a_host_that_hangs_costs_a_bounded_number_of_messages_for_each_attempt(
    app: App, timeline: WebhookTimeline
) -> None:
    silent = hang(app)
    webhooks = relayed_together(app, timeline, 6)

    timeline.run(until=NOON + 2 * HOUR)

    assert silent.attempts > 3 * len(webhooks)
    # The turn's own, and what puts it off: by copies of seconds, or once by the index.
    assert len(timeline.sent) <= (1 + MAX_COPIES) * (silent.attempts + len(webhooks))
    assert len(timeline.waiting) <= len(webhooks)


def test_a_turn_that_is_held_costs_one_message_each_time(
    app: App, timeline: WebhookTimeline
) -> None:
    admit_none(app)
    timeline.start(told(app, awaiting(app, HANGING)))

    timeline.run(until=NOON + 24 * HOUR)

    holds = [done for done in timeline.done if done.startswith("put off until")]
    assert len(timeline.sent) == len(timeline.done) == MAX_COPIES + len(holds)
    assert len(holds) > 24, "an hour at most, so that a host that is well again is soon found so"


def test_copies_end_when_another_message_has_put_their_turn_off_for_long(
    app: App, clock: FakeClock, timeline: WebhookTimeline
) -> None:
    admit_none(app)
    webhook = told(app, awaiting(app, HANGING))
    timeline.start(webhook)
    timeline.receive()
    timeline.put({**webhook.fields(), "waits": MAX_COPIES})
    timeline.receive()  # the sweeper's, say
    held_until = delivery_of(app, webhook).next_at
    assert held_until is not None

    timeline.run(until=clock() + timedelta(seconds=30))

    assert timeline.done[-1] == "nothing to do: it is held for later"
    assert len(timeline.sent) == 3, "the relay's, its first copy, and the sweeper's"
    assert timeline.waiting == []
    # The index brings it at its time.
    timeline.run(until=held_until + timedelta(minutes=1))
    assert len(timeline.sent) == 4


@pytest.mark.parametrize("behind_seconds", [0, 1])
def test_what_is_asked_for_or_due_is_tried_by_a_message_that_was_put_off(
    app: App, clock: FakeClock, timeline: WebhookTimeline, endpoint: Endpoint, behind_seconds: int
) -> None:
    """Also where the clock of whoever tries it is a second behind."""
    endpoint.statuses = [500]
    webhook = told(app, awaiting(app, endpoint.url))
    deliver_webhook(app, webhook)
    redeliver(app, delivery_of(app, webhook))
    asked_for = delivery_of(app, webhook)
    clock.advance(-behind_seconds)

    late = replace(Webhook.of_delivery(asked_for), waits=1)

    assert deliver_webhook(app, late) == "delivered"


@pytest.mark.parametrize("number", [1, 3])
def test_deliveries_to_a_host_that_always_hangs_end_within_a_week(
    app: App, timeline: WebhookTimeline, number: int
) -> None:
    """Each with a URL of its own, so that no endpoint is stopped for the others' failures."""
    hang(app)
    webhooks = relayed_together(app, timeline, number)

    timeline.run(max_steps=20_000)

    ended = [delivery_of(app, webhook) for webhook in webhooks]
    assert {(one.state, one.failure) for one in ended} == {("failed", "out_of_attempts")}
    assert len(timeline.letters) == number
    assert timeline.clock() - NOON < WEEK


def test_a_delivery_whose_host_never_has_its_turn_fails_within_a_week_with_a_letter(
    app: App, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500] * ALWAYS
    webhook, never = (told(app, awaiting(app, endpoint.url, n)) for n in range(2))
    timeline.start(webhook)
    timeline.run(until=NOON + 24 * HOUR)
    tried = len(endpoint.received)
    admit_none(app)
    timeline.start(never)

    timeline.run()

    ended = [delivery_of(app, one) for one in (webhook, never)]
    assert [(one.state, one.failure) for one in ended] == [("failed", "out_of_attempts")] * 2
    assert [one.attempt_count for one in ended] == [tried, 0], "what was not made is not recorded"
    assert Counter(letter["event_id"] for letter in timeline.letters) == Counter(
        {webhook.event_id: 1, never.event_id: 1}
    )
    assert 4 * 24 * HOUR < timeline.clock() - NOON < WEEK


def test_a_delivery_that_fails_unadmitted_has_its_letter_though_the_write_s_answer_was_lost(
    app: App, clock: FakeClock, timeline: WebhookTimeline
) -> None:
    class Repeated(DeliveryStore):
        """The client sends each write again, against its own condition."""

        def save(self, before: Delivery, after: Delivery) -> bool:
            return super().save(before, after) and super().save(before, after)

    admit_none(app)
    app.__dict__["deliveries"] = Repeated(app.dynamodb, app.config.payments_table)
    webhook = told(app, awaiting(app, HANGING))

    timeline.start(webhook)
    timeline.run()

    assert delivery_of(app, webhook).failure == "out_of_attempts"
    assert [letter["event_id"] for letter in timeline.letters] == [webhook.event_id]


def test_an_event_that_is_told_a_week_late_has_its_turn_all_the_same(
    app: App, clock: FakeClock, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    """After an outage of the relay, say: its host's turn is another's for the first minute."""
    webhook, breakers = told(app, awaiting(app, endpoint.url)), app.host_breakers
    clock.advance(WEEK.total_seconds())
    admit_none(app)
    timeline.start(webhook)
    timeline.run(until=clock() + timedelta(minutes=1))

    app.__dict__["host_breakers"] = breakers
    timeline.run()

    assert delivery_of(app, webhook).state == "delivered"


def test_a_delivery_that_somebody_asked_for_is_not_ended_for_its_age(
    app: App, clock: FakeClock, timeline: WebhookTimeline, endpoint: Endpoint
) -> None:
    webhook, breakers = told(app, awaiting(app, endpoint.url)), app.host_breakers
    admit_none(app)
    timeline.start(webhook)
    timeline.run()
    redeliver(app, delivery_of(app, webhook))
    timeline.run(until=clock() + 24 * HOUR)
    assert delivery_of(app, webhook).state == "pending"

    app.__dict__["host_breakers"] = breakers
    timeline.run()

    assert delivery_of(app, webhook).state == "delivered"
