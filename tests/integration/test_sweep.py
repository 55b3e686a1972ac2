"""A whole run: its parts, its budget, and the lag that it tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.events import payment_moved
from riel.domain.payment import Status, Transition
from riel.errors import StoreUnavailableError
from riel.observability import metrics
from riel.services import queue_room
from riel.services.sweep import sweep
from tests.builders import NOON, FakeClock, lane_at, make_payment, store_payment


@pytest.fixture(autouse=True)
def _young_lanes(app: App) -> None:
    """Both lanes have come to noon, less their age."""
    for age in app.config.sweep_ages_seconds:
        begun = (NOON - timedelta(seconds=age)).replace(second=0)
        app.watermarks.move(age, None, lane_at(app, begun))


def told() -> list[float]:
    """The lags that were told since the test began."""
    values: list[float] = metrics.metric_set.get("SweeperLagSeconds", {}).get("Value", [])
    return values


def test_a_healthy_stage_has_no_lag(app: App, clock: FakeClock) -> None:
    clock.advance(60)

    done = sweep(app, 20)

    assert done.lag_seconds == 0
    assert told() == [0]


def test_one_run_sends_what_is_due_and_publishes_what_was_lost(app: App, clock: FakeClock) -> None:
    store_payment(app)
    store_payment(app, idempotency_key="key-2", due_at=NOON)
    clock.advance(max(app.config.sweep_ages_seconds) + 60)

    done = sweep(app, 20)

    # Each lane on its own; what is due is the index's business, not a lane's.
    assert done.due_sent == 1
    assert done.republished == len(app.config.sweep_ages_seconds)


def test_the_lag_is_the_oldest_thing_that_was_left(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 0)
    store_payment(app, due_at=NOON - timedelta(minutes=20))

    assert sweep(app, 20).lag_seconds == 20 * 60

    clock.advance(3600)
    assert sweep(app, 20).lag_seconds == 80 * 60


def test_a_run_without_any_time_still_tells_how_far_behind_it_is(
    app: App, clock: FakeClock
) -> None:
    clock.advance(3600)

    assert sweep(app, 0).lag_seconds == 3600


def test_a_part_that_fails_keeps_no_other_and_tells_no_lag(app: App, clock: FakeClock) -> None:
    store_payment(app, due_at=NOON)
    lost = store_payment(app, idempotency_key="key-2")
    clock.advance(max(app.config.sweep_ages_seconds) + 60)
    metrics.clear_metrics()

    class BrokenDue:
        def until(self, *_: Any) -> Any:
            raise StoreUnavailableError("throttled")

    app.__dict__["due"] = BrokenDue()
    with pytest.raises(StoreUnavailableError):
        sweep(app, 20)

    bodies = [message.body for message in app.payments_queue.receive(30)]
    assert any(lost.payment_id in body for body in bodies)
    assert told() == []


def test_without_lanes_what_is_due_is_still_sent(app: App) -> None:
    app.config = replace(app.config, sweep_ages_seconds=())
    store_payment(app, due_at=NOON)

    assert sweep(app, 20).due_sent == 1


def test_webhooks_that_wait_for_their_next_attempt_do_not_keep_those_that_were_lost(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One merchant's endpoint that is down fills the queue with delayed copies, tried ones all."""
    monkeypatch.setattr(queue_room, "MAX_WAITING", 1)
    for _ in range(3):
        tried = {"merchant_id": "demo", "event_id": "evt_tried"}
        app.webhooks_queue.send(tried, delay_seconds=900)
    lost = make_payment(history=(make_payment().history[0], Transition(2, Status.FAILED, NOON, "")))
    assert app.payments.create(lost, payment_moved("evt_lost", lost)) is None
    clock.advance(max(app.config.sweep_ages_seconds) + 60)

    sweep(app, 20)

    (message, *_) = app.webhooks_queue.receive(30)
    assert "evt_lost" in message.body
