"""Webhooks that are due go out, however many another merchant has of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from riel.app import App
from riel.deadline import Deadline
from riel.services import queue_room
from riel.services.queue_room import LEAST_SHARE, MAX_WAITING, QueueRoom
from riel.services.sweep_due import AGAIN_AFTER, SweptDue, sweep_webhooks
from riel.services.webhook_message import MAX_COPIES
from riel.store import keys
from riel.store.deliveries import Delivery
from tests.builders import NOON, FakeClock
from tests.webhook_timeline import WebhookTimeline

URL = "https://shop.example.com/hook"
MINUTE = timedelta(minutes=1)
NOISY = "noisy"


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> WebhookTimeline:
    return WebhookTimeline(app, clock)


def wait(app: App, merchant_id: str, number: int, at: datetime = NOON) -> Delivery:
    """A delivery of a merchant whose second attempt is due at a time."""
    about = (f"pay_{merchant_id}_{number}", f"evt_{merchant_id}_{number}", merchant_id)
    new = Delivery(*about, "payment.completed", URL, at, turn=2, next_at=at, due_at=at)
    assert app.deliveries.save(new, new)
    return new


def run(app: App, room: QueueRoom | None = None) -> SweptDue:
    return sweep_webhooks(app, room or QueueRoom(), Deadline(60))


def sent_by_merchant(timeline: WebhookTimeline) -> Counter[str]:
    return Counter(message["merchant_id"] for message in timeline.sent)


def shards_of(merchant_id: str) -> set[str]:
    subjects = ((merchant_id, "pay", f"evt_{n}", "2") for n in range(50))
    return {keys.webhook_due_key(NOON, *subject)[0] for subject in subjects}


def merchants(apart_from: str = NOISY) -> Iterable[str]:
    """Merchants who share no shard with this one."""
    names = (f"merchant-{n}" for n in range(1_000))
    return (name for name in names if not shards_of(name) & shards_of(apart_from))


def test_a_merchant_s_webhooks_stand_in_two_shards_and_all_merchants_in_all() -> None:
    names = [f"merchant-{n}" for n in range(300)]

    taken = Counter(shard for name in names for shard in shards_of(name))

    assert {len(shards_of(name)) for name in names} == {keys.MERCHANT_SHARDS}
    assert len(taken) == keys.DUE_SHARDS
    beside = [name for name in names if shards_of(name) & shards_of(NOISY)]
    # Three of sixteen begin in one of its two, or end there.
    assert len(beside) / len(names) < 0.25


def test_the_turn_says_in_which_of_its_two_shards_a_delivery_waits() -> None:
    """So what stands behind another merchant's in one turn does not in every turn."""
    turns = [keys.webhook_due_key(NOON, "demo", "pay", "evt", str(n))[0] for n in range(1, 15)]

    assert set(turns) == shards_of("demo")


def test_one_merchant_s_due_webhooks_do_not_go_before_all_others(
    app: App, clock: FakeClock, timeline: WebhookTimeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled 1:16; the noisy one alone has more than the whole queue takes, and all of it older."""
    monkeypatch.setattr(queue_room, "MAX_WAITING", MAX_WAITING // 16)
    monkeypatch.setattr(queue_room, "LEAST_SHARE", 0)
    for number in range(400):
        wait(app, NOISY, number, NOON - MINUTE)
    good = next(iter(merchants()))
    for number in range(8):
        wait(app, good, number)

    swept = run(app)

    share = MAX_WAITING // 16 // 2 // keys.DUE_SHARDS
    assert sent_by_merchant(timeline) == {good: 8, NOISY: 2 * share}
    assert swept.oldest_left == NOON - MINUTE


def test_a_full_queue_of_one_merchant_keeps_no_others_webhooks_due(
    app: App, clock: FakeClock, timeline: WebhookTimeline
) -> None:
    for _ in range(MAX_WAITING):
        timeline.put({"merchant_id": NOISY, "payment_id": "pay_x", "event_id": "evt_x"})
    for number in range(100):
        wait(app, NOISY, number)
    good = next(iter(merchants()))
    wait(app, good, 0)
    timeline.sent.clear()

    run(app)

    assert sent_by_merchant(timeline) == {good: 1, NOISY: 2 * LEAST_SHARE}
    # What was left is still due, and the next run goes on with it.
    clock.advance(60)
    assert run(app).sent == 2 * LEAST_SHARE


def test_what_else_is_sent_to_the_queue_keeps_a_half_of_its_room_and_what_is_left(
    app: App, timeline: WebhookTimeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 128)
    monkeypatch.setattr(queue_room, "LEAST_SHARE", 1)
    quiet, busy = QueueRoom(), QueueRoom()

    run(app, quiet)
    for number in range(300):
        wait(app, f"merchant-{number}", number)
    swept = run(app, busy)

    assert quiet.take(app.webhooks_queue, 1_000) == 128
    assert swept.sent == 64
    assert swept.oldest_left == NOON
    assert busy.take(app.webhooks_queue, 1_000) == 64


def test_what_the_shares_of_a_full_queue_use_up_is_no_room_for_others(
    app: App, timeline: WebhookTimeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_room, "MAX_WAITING", 5)
    for number in range(10):
        wait(app, f"merchant-{number}", number)
    room = QueueRoom()

    assert run(app, room).sent == 10
    assert room.take(app.webhooks_queue, 1) == 0


def test_a_message_that_the_sweeper_sends_is_not_put_off_by_copies(
    app: App, clock: FakeClock, timeline: WebhookTimeline
) -> None:
    delivery = wait(app, "demo", 0)

    run(app)

    about = {"merchant_id": "demo", "payment_id": delivery.payment_id}
    assert timeline.sent == [
        {**about, "event_id": delivery.event_id, "turn": 2, "waits": MAX_COPIES}
    ]
    clock.advance(AGAIN_AFTER.total_seconds() - 1)
    assert run(app).sent == 0
    clock.advance(1)
    assert run(app).sent == 1
