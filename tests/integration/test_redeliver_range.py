"""An operator sends a range of time again: what is in it, in which states, and how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Payment, Status
from riel.errors import StoreUnavailableError
from riel.services import redeliver_range as service
from riel.services.redeliver_range import (
    STATES,
    Redelivered,
    RedeliverOrder,
    redeliver_many,
    redeliver_range,
)
from riel.services.redeliver_webhook import redeliver
from riel.store.deliveries import DELIVERED, FAILED, PENDING, Attempt
from tests.builders import NOON, FakeClock, store_payment
from tests.integration.test_deliveries_api import store_delivery
from tests.integration.test_redeliver import messages, stored
from tests.payments import advance, store_completed

HOUR = timedelta(hours=1)
FAST = RedeliverOrder(rate=1000)


@pytest.fixture
def paid(app: App) -> dict[str, Payment]:
    """One payment in each state of its delivery, by that state."""
    found = {state: store_completed(app, idempotency_key=state) for state in STATES}
    attempt = Attempt("2026-04-17T12:00:01.000Z", 500, 12)
    for state, payment in found.items():
        store_delivery(app, payment, attempt, state=state)
    return found


def states(app: App, paid: dict[str, Payment]) -> dict[str, tuple[str, bool]]:
    found = {state: stored(app, payment) for state, payment in paid.items()}
    return {state: (one.state, one.is_asked_for) for state, one in found.items()}


def test_the_failed_ones_are_sent_again_and_no_others(app: App, paid: dict[str, Payment]) -> None:
    done = redeliver_range(app, NOON, NOON + HOUR, FAST)

    assert (done.found, done.sent, done.others, done.left) == (3, 1, 2, [])
    assert states(app, paid) == {
        PENDING: (PENDING, False),
        DELIVERED: (DELIVERED, False),
        FAILED: (PENDING, True),
    }
    (message,) = messages(app)
    assert message["payment_id"] == paid[FAILED].payment_id


@pytest.mark.parametrize("state", STATES)
def test_a_state_can_be_chosen(app: App, paid: dict[str, Payment], state: str) -> None:
    order = replace(FAST, states=frozenset({state}))

    assert redeliver_range(app, NOON, NOON + HOUR, order).sent == 1
    assert stored(app, paid[state]).is_asked_for


def test_a_dry_run_counts_and_changes_nothing(app: App, paid: dict[str, Payment]) -> None:
    order = replace(FAST, states=frozenset(STATES), dry_run=True)

    done = redeliver_range(app, NOON, NOON + HOUR, order)

    assert (done.found, done.sent) == (3, 3)
    assert not any(asked for _, asked in states(app, paid).values())
    assert messages(app) == []


def test_what_was_never_tried_is_found_too(app: App) -> None:
    """It has no delivery: only the outbox knows that it exists."""
    payment = store_completed(app)

    assert redeliver_range(app, NOON, NOON + HOUR, FAST).sent == 0, "it has not failed"
    order = replace(FAST, states=frozenset({PENDING}))
    assert redeliver_range(app, NOON, NOON + HOUR, order).sent == 1
    assert stored(app, payment).event_id == ids.event_id(payment.payment_id, 3)


def test_only_events_of_the_range_and_of_the_merchant_count(app: App, clock: FakeClock) -> None:
    store_completed(app, idempotency_key="before")
    clock.advance(3600)
    store_completed(app, idempotency_key="mine")
    store_completed(app, idempotency_key="theirs", merchant_id="other")
    store_completed(app, idempotency_key="silent", webhook_url=None)
    advance(app, store_payment(app, idempotency_key="open"), Status.PROCESSING)
    clock.advance(3600)
    store_completed(app, idempotency_key="after")
    order = replace(FAST, states=frozenset(STATES), dry_run=True)
    span = NOON + HOUR, NOON + 2 * HOUR

    assert redeliver_range(app, *span, order).found == 2
    assert redeliver_range(app, *span, replace(order, merchant_id="other")).found == 1
    assert redeliver_range(app, *span, replace(order, merchant_id="nobody")).found == 0


def test_a_run_is_bounded_and_says_so(
    app: App, paid: dict[str, Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_EVENTS", 2)
    order = replace(FAST, states=frozenset(STATES))

    done = redeliver_range(app, NOON, NOON + HOUR, order)

    assert done.sent == 2
    assert done.next_from == NOON, "the payments were all decided in one moment"


def test_a_run_goes_on_where_the_one_before_ended(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute has sixteen shards, and what is left must not lie in them before that time."""
    monkeypatch.setattr(service, "MAX_EVENTS", 4)
    payments = []
    for number in range(10):
        payments.append(store_completed(app, idempotency_key=f"k-{number}"))
        clock.advance(7)
    order = RedeliverOrder(frozenset(STATES), rate=1e6)
    begins: datetime | None = NOON
    runs: list[tuple[int, datetime]] = []

    while begins:
        done = redeliver_range(app, begins, NOON + HOUR, order)
        runs.append((done.sent, begins))
        begins = done.next_from

    assert runs == [
        (4, NOON),
        (4, NOON + timedelta(seconds=28)),
        (2, NOON + timedelta(seconds=56)),
    ]
    assert {stored(app, payment).turn for payment in payments} == {2}, "each was sent once"


def test_what_can_not_be_sent_is_told_and_the_rest_goes_on(
    app: App, paid: dict[str, Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: Iterator[Exception | None] = iter([StoreUnavailableError("throttled"), None, None])

    def sometimes(*arguments: Any) -> str:
        if failure := next(failures):
            raise failure
        return redeliver(*arguments)

    monkeypatch.setattr(service, "redeliver", sometimes)
    done = redeliver_range(app, NOON, NOON + HOUR, replace(FAST, states=frozenset(STATES)))

    assert (done.found, done.sent) == (3, 2)
    ((event_id, reason),) = done.left
    assert event_id in {ids.event_id(payment.payment_id, 3) for payment in paid.values()}
    assert reason == "throttled"


def test_an_event_whose_body_is_gone_is_told(app: App, clock: FakeClock) -> None:
    delivery = store_delivery(app, store_completed(app), state=FAILED)
    clock.advance(timedelta(days=14).total_seconds())
    done = Redelivered()

    redeliver_many(app, [replace(delivery, state=FAILED)], FAST, done)

    assert done.left == [(delivery.event_id, "event_expired")]
    assert done.sent == 0


def test_many_events_are_read_in_many_calls_and_each_is_sent_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CHUNK", 2)
    payments = [store_completed(app, idempotency_key=f"k-{n}") for n in range(5)]
    seen: list[int] = []

    done = redeliver_range(
        app,
        NOON,
        NOON + HOUR,
        RedeliverOrder(frozenset(STATES), rate=1e6),
        lambda so_far: seen.append(so_far.sent),
    )

    assert done.sent == len(payments)
    assert seen == list(range(1, len(payments) + 1)), "progress is told after each"
    turns = Counter(stored(app, payment).turn for payment in payments)
    assert turns == {2: len(payments)}


def test_a_record_that_can_not_be_read_is_told(app: App, aws: Any, paid: object) -> None:
    (first, *_) = aws.scan(TableName="outbox")["Items"]
    broken = {**first, "sk": {"S": f"{first['sk']['S']}x"}}
    del broken["type"]
    aws.put_item(TableName="outbox", Item=broken)

    done = redeliver_range(app, NOON, NOON + HOUR, FAST)

    assert [one.key for one in done.unreadable] == [f"{broken['pk']['S']} {broken['sk']['S']}"]
    assert done.sent == 1
