"""Find events of the outbox that had no effect, and publish them again.

The stream keeps a day, so a relay that is down for longer, or that gave a record up, loses events;
the outbox keeps them for 14 days. Each age of `sweep_ages_seconds` is a lane with a watermark of
its own: everything before it was looked at when it was at least so old. The first lane leaves the
ordinary way its time, the next ones look again for what its own message lost.

What an event should have caused is a few reads, a fraction of what a mark in the table would cost,
and most need none: a later event of the same payment in the same minute proves that it moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from riel.domain.events import CREATED, REFUND_CREATED, TOLD_TO_MERCHANTS, Event
from riel.domain.payment import Status
from riel.observability import count, logger
from riel.services.queue_room import QueueRoom
from riel.services.relay_events import publish
from riel.store.effects import Standing, Subject
from riel.store.keys import OUTBOX_LIFE
from riel.store.outbox import Unreadable
from riel.store.queues import Queue
from riel.webhooks.deadline import Deadline

if TYPE_CHECKING:
    from riel.app import App

MINUTE = timedelta(minutes=1)
MAX_MINUTES = 60
"""Of one lane in one run; each costs 16 queries. A day is made good in 25 runs."""
FIRST_LOOK_BACK = timedelta(minutes=15)
"""Where a stage has no watermark yet: longer than its deployment took. What is older was before
there was a sweeper, and `riel outbox replay` is for that."""
SILENCE = timedelta(minutes=1)
"""A look-up that waits for longer stands in the index of what is due, so a claim that was given up
so long ago, and does not, may have lost its message. What an unavailable gateway or a soft decline
keeps waiting has not: its copy too many finds nothing to do yet, or waits beside the other."""
CHUNK = 100
_STARTS = (CREATED, REFUND_CREATED)


@dataclass(slots=True)
class SweptLane:
    """What a run did in one lane. `until` is its watermark, `behind` how far from its target."""

    until: datetime
    behind: timedelta = timedelta()
    republished: int = 0
    unreadable: int = 0


def sweep_lane(app: App, age_seconds: int, room: QueueRoom, deadline: Deadline) -> SweptLane:
    """Take one lane's watermark as far as it may go. Raises StoreUnavailableError.

    The watermark passes a minute when all of its events had their effect or were published. Two
    sweepers at once publish twice, and one of them moves it.
    """
    now = app.clock()
    target = _minute_of(now - timedelta(seconds=age_seconds))
    seen = app.watermarks.get(age_seconds)
    lane = SweptLane(_start(seen, target, now))
    for _ in range(MAX_MINUTES):
        if lane.until >= target or deadline.is_over or not _heal(app, lane, room):
            break
        if not app.watermarks.advance(age_seconds, seen, lane.until + MINUTE):
            break
        seen = lane.until = lane.until + MINUTE
    lane.behind = max(target - lane.until, timedelta())
    return lane


def _start(seen: datetime | None, target: datetime, now: datetime) -> datetime:
    if seen is None:
        return target - FIRST_LOOK_BACK
    return max(seen, _minute_of(now - OUTBOX_LIFE))


def _minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def _heal(app: App, lane: SweptLane, room: QueueRoom) -> bool:
    """Publish a minute's events that had no effect; False when not all of them were taken."""
    starts: dict[Subject, Event] = {}
    moved: set[Subject] = set()
    told: list[Event] = []
    for event in _events(app, lane):
        subject = (event.payment_id, event.refund_id)
        if event.type in _STARTS:
            starts[subject] = event
            continue
        moved.add(subject)
        if event.webhook_url:
            told.append(event)
    unsure = [event for subject, event in starts.items() if subject not in moved]
    for chunk in _chunks(unsure):
        if not _publish(app, _not_begun(app, chunk), lane, room):
            return False
    return all(_publish(app, _not_sent(app, chunk), lane, room) for chunk in _chunks(told))


def _events(app: App, lane: SweptLane) -> Iterator[Event]:
    """Read the minute at the watermark; what nobody can read holds nothing up."""
    for entry in app.outbox.scan(lane.until, lane.until + MINUTE):
        if isinstance(entry, Event) and entry.type in (*_STARTS, *TOLD_TO_MERCHANTS):
            yield entry
            continue
        lane.unreadable += 1
        count("OutboxRecordUnreadable")
        if isinstance(entry, Unreadable):
            told = {"record": entry.key, "reason": entry.reason}
        else:
            told = {"record": entry.event_id, "reason": f"unknown event type {entry.type!r:.60}"}
        logger.error("unreadable outbox record", extra=told)


def _not_begun(app: App, events: Sequence[Event]) -> list[Event]:
    """Of events that start a gateway step, those whose step never began, or was lost."""
    found = app.effects.standings({(event.payment_id, event.refund_id) for event in events})
    now = app.clock()
    missing: list[Event] = []
    for event in events:
        standing = found.get((event.payment_id, event.refund_id))
        if standing is None:
            # Written in one transaction with its event, and never deleted.
            logger.error("event without its subject", extra={"payment_id": event.payment_id})
            count("OutboxEventOrphaned")
        elif _is_waiting(standing, now):
            missing.append(event)
    return missing


def _is_waiting(standing: Standing, now: datetime) -> bool:
    if standing.attention or standing.is_due:
        return False
    if standing.status == Status.PROCESSING:
        return standing.last_sign + SILENCE < now
    return standing.status == Status.PENDING


def _not_sent(app: App, events: Sequence[Event]) -> list[Event]:
    """Of events that merchants are told of, those that were never tried to be delivered."""
    attempted = app.effects.attempted({(event.payment_id, event.event_id) for event in events})
    return [event for event in events if event.event_id not in attempted]


def _publish(app: App, missing: Sequence[Event], lane: SweptLane, room: QueueRoom) -> bool:
    if not missing:
        return True
    if not all(room.take(_queue_of(app, event), 1) for event in missing):
        return False
    refused = publish(app, missing)
    lane.republished += len(missing) - refused
    count("OutboxEventRepublished", len(missing) - refused)
    ids = [event.event_id for event in missing]
    logger.warning("published again", extra={"event_ids": ids, "refused": refused})
    return refused == 0


def _queue_of(app: App, event: Event) -> Queue:
    return app.gateway_queue(event.gateway) if event.type in _STARTS else app.webhooks_queue


def _chunks(events: Iterable[Event]) -> Iterator[list[Event]]:
    rest = iter(events)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
