"""Send what is due to its queue, and move it on, so that a message that is lost comes again.

First send, then move: a sweeper that dies in between, and two that run at once, send twice, which
the claim and the inbox absorb. Whoever acts on the message takes the item out of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel import threads
from riel.deadline import Deadline
from riel.observability import count
from riel.services.queue_room import QueueRoom, Share
from riel.services.webhook_message import MAX_COPIES, Webhook
from riel.store.due import DueItem
from riel.store.keys import (
    DUE_SHARDS,
    INBOX_QUEUE,
    WATCHED_SHARD,
    WEBHOOKS_QUEUE,
    due_partition,
    webhooks_partition,
)
from riel.store.queues import Queue

if TYPE_CHECKING:
    from riel.app import App

AGAIN_AFTER = timedelta(minutes=5)
"""Longer than a message waits in a queue that is not overlong (see `queue_room`)."""
PAGE = 100
MAX_PAGES = 10
"""Of one shard in one run: together 16,000 items that are looked at. What is sent of them is
bounded by the queue's room: of webhooks by each shard's share, 2,496 messages a run in all."""
SHARDS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SweptDue:
    """How many items were sent, and since when the oldest waits that was left (None: none was)."""

    sent: int
    oldest_left: datetime | None


def sweep_due(app: App, room: QueueRoom, deadline: Deadline) -> SweptDue:
    """Send what is due of payments, refunds and PSPs' events. Raises StoreUnavailableError."""
    partitions = [*_in_turn(app, due_partition), due_partition(WATCHED_SHARD)]
    return _sweep(app, deadline, [(partition, room) for partition in partitions])


def sweep_webhooks(app: App, room: QueueRoom, deadline: Deadline) -> SweptDue:
    """Send the webhooks whose next attempt is due. Raises StoreUnavailableError.

    Each partition has a share of the queue's room, so the merchants of one do not use up that of
    the others, however much of theirs is due or waits in the queue already.
    """
    shares = room.shares(app.webhooks_queue, DUE_SHARDS)
    return _sweep(app, deadline, list(zip(_in_turn(app, webhooks_partition), shares, strict=True)))


def _in_turn(app: App, name: Callable[[int], str]) -> list[str]:
    """Name all partitions, beginning each minute with another one: a long one starves nobody."""
    start = int(app.clock().timestamp()) // 60
    return [name((start + n) % DUE_SHARDS) for n in range(DUE_SHARDS)]


def _sweep(
    app: App, deadline: Deadline, partitions: Sequence[tuple[str, QueueRoom | Share]]
) -> SweptDue:
    """Send what is due in these partitions, each within its room.

    Each gets at least a page, whatever the deadline says.
    """
    now = app.clock()
    # Built here: threads share them, and may not race to make them.
    _ = app.due, app.payments_queue, app.webhooks_queue
    with threads.pool(SHARDS_AT_ONCE) as pool:
        done = list(
            pool.map(lambda one: _sweep_shard(app, one[0], one[1], now, deadline), partitions)
        )
    sent = sum(swept.sent for swept in done)
    if sent:
        count("DueItemSent", sent)
    left = [swept.oldest_left for swept in done if swept.oldest_left]
    return SweptDue(sent, min(left, default=None))


def _sweep_shard(
    app: App, partition: str, room: QueueRoom | Share, now: datetime, deadline: Deadline
) -> SweptDue:
    sent = 0
    left: list[DueItem] = []
    for number, page in enumerate(app.due.until(partition, now, PAGE), start=1):
        kept = _send_page(app, page, room)
        sent += len(page) - len(kept)
        left += kept
        if number == MAX_PAGES or deadline.is_over:
            # Whatever follows is younger than this page's last.
            left += page[-1:]
            break
    return SweptDue(sent, min((item.at for item in left), default=None))


def _send_page(app: App, page: Iterable[DueItem], room: QueueRoom | Share) -> list[DueItem]:
    """Send a page's items to their queues; return those that were not taken."""
    kept: list[DueItem] = []
    for items in _by_queue(app, page).values():
        queue = _queue_of(app, items[0])
        fitting = room.take(queue, len(items))
        refused = queue.send_many([_message(item) for item in items[:fitting]])
        kept += [item for n, item in enumerate(items) if n >= fitting or n in refused]
        for n, item in enumerate(items[:fitting]):
            if n not in refused:
                app.due.postpone(item, app.clock() + AGAIN_AFTER)
    return kept


def _by_queue(app: App, items: Iterable[DueItem]) -> dict[str, list[DueItem]]:
    groups: dict[str, list[DueItem]] = {}
    for item in items:
        groups.setdefault(_queue_of(app, item).url, []).append(item)
    return groups


def _queue_of(app: App, item: DueItem) -> Queue:
    if item.queue == WEBHOOKS_QUEUE:
        return app.webhooks_queue
    return app.gateway_events_queue if item.queue == INBOX_QUEUE else app.gateway_queue(item.queue)


def _message(item: DueItem) -> dict[str, Any]:
    if item.queue == WEBHOOKS_QUEUE:
        merchant_id, payment_id, event_id, turn = item.subject
        # It has waited long enough for no copy of seconds to be worth a message.
        return Webhook(merchant_id, payment_id, event_id, int(turn), MAX_COPIES).fields()
    if item.queue == INBOX_QUEUE:
        return {"inbox_id": item.subject[0], "waits": 0, "traceparent": ""}
    names = ("payment_id", "refund_id")
    about = dict(zip(names, item.subject, strict=False))
    return {**about, "gateway": item.queue, "waits": 0, "look": True, "traceparent": ""}
