"""Deliveries, endpoints and hosts: what was written meanwhile is never overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from riel.app import App
from riel.store import keys
from riel.store.deliveries import KEPT_ATTEMPTS, Attempt, Delivery
from riel.store.endpoints import Endpoint
from riel.store.hosts import NEW, SLOW, Host
from tests.builders import NOON, FakeClock

ATTEMPT = Attempt("2026-04-17T12:00:00.000Z", 500, 12, answer="no")
URL = "https://shop.example/hook"


def make_delivery(event_id: str = "evt_1") -> Delivery:
    return Delivery("pay_1", event_id, "demo", "payment.completed", URL, NOON)


def stored(app: App, event_id: str = "evt_1") -> Delivery:
    found = app.deliveries.get("pay_1", event_id)
    assert found is not None
    return found


def test_of_two_first_attempts_one_is_written(app: App) -> None:
    new = make_delivery()

    assert app.deliveries.save(new, new.after(ATTEMPT))
    assert not app.deliveries.save(new, new.after(replace(ATTEMPT, status=200)))

    assert stored(app).attempts == (ATTEMPT,)
    assert (stored(app).turn, stored(app).is_stored) == (2, True)


def test_of_two_that_end_one_turn_one_is_written(app: App) -> None:
    new = make_delivery()
    app.deliveries.save(new, new.after(ATTEMPT))
    read = stored(app)

    assert app.deliveries.save(read, read.after(ATTEMPT))
    assert not app.deliveries.save(read, read.given_up("gone"))
    overtaken = stored(app)
    assert app.deliveries.save(overtaken, overtaken.beside(ATTEMPT))
    assert not app.deliveries.save(overtaken, overtaken.given_up("gone"))

    assert (stored(app).attempt_count, stored(app).turn) == (3, 3)


def test_a_delivery_that_waits_is_due_until_it_does_not_wait(app: App) -> None:
    new = make_delivery()
    waiting = replace(new.after(ATTEMPT), next_at=NOON, due_at=NOON + timedelta(minutes=2))
    app.deliveries.save(new, waiting)
    partition, sort_key = keys.webhook_due_key(NOON + timedelta(minutes=2), *waiting.subject)

    ((due,),) = app.due.until(partition, NOON + timedelta(minutes=2), 10)
    app.deliveries.save(stored(app), stored(app).given_up("gone"))

    assert due.sort_key == sort_key
    assert list(app.due.until(partition, NOON + timedelta(days=1), 10)) == []


def test_only_the_newest_attempts_are_kept(app: App) -> None:
    new = make_delivery()
    tried = new
    for number in range(KEPT_ATTEMPTS + 5):
        tried = tried.after(replace(ATTEMPT, latency_ms=number))
    app.deliveries.save(new, tried)

    assert [attempt.latency_ms for attempt in stored(app).attempts] == list(range(5, 35))
    assert stored(app).attempt_count == 35


def test_deliveries_are_read_by_payment_and_by_event(app: App) -> None:
    for number in range(3):
        new = replace(make_delivery(f"evt_{number}"), event_at=NOON - timedelta(seconds=number))
        app.deliveries.save(new, new.after(ATTEMPT))

    found = app.deliveries.of_payment("pay_1")
    by_event = app.deliveries.of_events([("pay_1", "evt_1"), ("pay_1", "evt_9")])

    assert [delivery.event_id for delivery in found] == ["evt_2", "evt_1", "evt_0"]
    assert by_event == {"evt_1": stored(app, "evt_1")}
    assert app.effects.attempted([("pay_1", "evt_2"), ("pay_1", "evt_9")]) == {"evt_2"}


def test_a_stop_is_not_undone_by_an_older_failure_or_success(app: App) -> None:
    new = Endpoint("demo", URL)
    failing = replace(new, failing_since=NOON, last_failure_at=NOON)
    stopped = replace(failing, stopped_at=NOON, why="gone")

    assert app.endpoints.save(new, failing)
    assert app.endpoints.save(failing, stopped)
    assert not app.endpoints.save(failing, replace(failing, last_failure_at=NOON))
    assert not app.endpoints.save(failing, new)

    assert app.endpoints.read(new.endpoint_id) == stopped
    assert app.endpoints.get("demo", URL) == stopped
    (listed,) = app.due.waiting(keys.STOPPED_ENDPOINTS, 10, "demo#")
    assert listed.payment_id == new.endpoint_id
    assert app.endpoints.save(stopped, new)
    assert app.due.waiting(keys.STOPPED_ENDPOINTS, 10) == []


def test_a_failure_of_a_spell_that_a_success_ended_is_not_written(app: App) -> None:
    new = Endpoint("demo", URL)
    failing = replace(new, failing_since=NOON, last_failure_at=NOON)
    app.endpoints.save(new, failing)
    app.endpoints.save(failing, new)

    assert not app.endpoints.save(failing, replace(failing, last_failure_at=NOON))


def test_a_write_of_ours_that_comes_twice_is_ours(app: App) -> None:
    new = Endpoint("demo", URL)
    stopped = replace(new, stopped_at=NOON, why="gone")

    assert app.endpoints.save(new, stopped)
    assert app.endpoints.save(new, stopped)


def test_what_is_known_of_a_host_is_what_was_written_last(app: App, clock: FakeClock) -> None:
    assert app.hosts.get("demo", "shop:443") == Host()

    app.hosts.put("demo", "shop:443", Host(5, 0, 1))
    app.hosts.put("demo", "shop:443", Host(7, 9, 2))
    app.hosts.doubt("demo", 11)

    assert app.hosts.get("demo", "shop:443") == Host(7, 9, 2)
    assert (app.hosts.doubted_at_ms("demo"), app.hosts.doubted_at_ms("other")) == (11, 0)


def test_a_turn_to_try_is_ones_until_it_ends_or_is_impossible(app: App) -> None:
    hosts = app.hosts

    assert hosts.take_probe("demo", NEW, now_ms=100, until_ms=200) == 0
    assert hosts.take_probe("demo", NEW, now_ms=150, until_ms=250) == 200
    assert hosts.take_probe("demo", SLOW, now_ms=150, until_ms=250) == 0
    assert hosts.take_probe("demo", NEW, now_ms=200, until_ms=300) == 0
    hosts.end_probe("demo", NEW, 200)
    assert hosts.take_probe("demo", NEW, now_ms=250, until_ms=350) == 300, "it was another's"
    hosts.end_probe("demo", NEW, 300)
    assert hosts.take_probe("demo", NEW, now_ms=250, until_ms=9_000) == 0
    assert hosts.take_probe("demo", NEW, now_ms=260, until_ms=360) == 0, "no lease is so long"
