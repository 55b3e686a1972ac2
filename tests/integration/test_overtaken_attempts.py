"""Attempts at one delivery that run beside each other: none is lost, and one arranges the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from riel.app import App
from riel.domain.instants import to_text
from riel.services.deliver_webhook import deliver_webhook
from riel.services.redeliver_webhook import redeliver
from riel.store.deliveries import FAILED, OUT_OF_ATTEMPTS, Attempt
from tests.builders import NOON
from tests.endpoint import Endpoint
from tests.relayed import delivery_of, webhook


@contextmanager
def meanwhile(app: App, happens: Callable[[], object]) -> Iterator[None]:
    """During the next look-up of `localhost`, which is inside an attempt, something happens."""
    left = [happens]

    def resolve(_host: str, _port: int) -> list[str]:
        while left:
            left.pop()()
        return ["127.0.0.1"]

    app.resolver = resolve
    yield
    assert left == []


@pytest.fixture
def url(app: App, endpoint: Endpoint) -> str:
    """An endpoint with a name, which has proven that it may be called side by side."""
    app.resolver = lambda _host, _port: ["127.0.0.1"]
    named = endpoint.url.replace("127.0.0.1", "localhost")
    assert deliver_webhook(app, webhook(named, event_id="evt_0")) == "delivered"
    endpoint.received.clear()
    return named


def test_an_attempt_that_another_overtook_is_recorded_and_arranges_nothing(
    app: App, endpoint: Endpoint, url: str
) -> None:
    endpoint.statuses = [500, 503]

    with meanwhile(app, lambda: deliver_webhook(app, webhook(url))):
        assert deliver_webhook(app, webhook(url)) == "recorded beside another worker"

    delivery = delivery_of(app)
    assert (delivery.turn, delivery.tries, delivery.attempt_count) == (2, 1, 2)
    assert [attempt.status for attempt in delivery.attempts] == [500, 503]
    assert app.webhooks_queue.depth()["delayed"] == 1, "the copy of the one that was first"


def test_of_two_that_were_overtaken_at_once_neither_attempt_is_lost(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(endpoint.url))
    seen = delivery_of(app)
    late, later = (seen.beside(Attempt(to_text(NOON), status, 1)) for status in (502, 503))

    assert app.deliveries.save(seen, late)
    assert app.deliveries.save(seen, later) is False, "it has to read again"

    assert [attempt.status for attempt in delivery_of(app).attempts] == [500, 502]


def test_what_arrived_is_delivered_although_another_attempt_failed_meanwhile(
    app: App, endpoint: Endpoint, url: str
) -> None:
    endpoint.statuses = [500, 200]

    with meanwhile(app, lambda: deliver_webhook(app, webhook(url))):
        assert deliver_webhook(app, webhook(url)) == "delivered"

    assert (delivery_of(app).state, delivery_of(app).due_at) == ("delivered", None)


def test_a_failure_does_not_undo_a_delivery(app: App, endpoint: Endpoint, url: str) -> None:
    endpoint.statuses = [200, 500]

    with meanwhile(app, lambda: deliver_webhook(app, webhook(url))):
        assert deliver_webhook(app, webhook(url)) == "recorded beside another worker"

    delivery = delivery_of(app)
    assert (delivery.state, delivery.due_at, delivery.attempt_count) == ("delivered", None, 2)


def test_who_was_overtaken_by_a_last_failure_that_nobody_heard_of_writes_its_letter(
    app: App, endpoint: Endpoint, url: str
) -> None:
    """A record that was stuck on its way comes when its message is at the next worker already."""
    endpoint.statuses = [500, 500]
    deliver_webhook(app, webhook(url))
    seen = delivery_of(app)
    last = seen.after(Attempt(to_text(NOON), 503, 1))
    failed = replace(last, state=FAILED, failure=OUT_OF_ATTEMPTS)

    with meanwhile(app, lambda: app.deliveries.save(seen, failed)):
        deliver_webhook(app, webhook(url, turn=2), receives=2)

    assert (delivery_of(app).state, delivery_of(app).attempt_count) == ("failed", 3)
    assert app.webhooks_dlq.depth()["visible"] == 1


def test_who_asks_during_an_attempt_gets_one_of_his_own(
    app: App, endpoint: Endpoint, url: str
) -> None:
    """The attempt in flight may have arrived before he lost what he had."""
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(url))

    with meanwhile(app, lambda: redeliver(app, delivery_of(app))):
        done = deliver_webhook(app, webhook(url, turn=2))

    asked = delivery_of(app)
    assert done == "recorded beside another worker"
    assert (asked.state, asked.is_asked_for, asked.turn) == ("pending", True, 3)
    assert (asked.tries, asked.attempt_count) == (0, 2)
    assert deliver_webhook(app, webhook(url, turn=3)) == "delivered"
    assert len(endpoint.received) == 3
