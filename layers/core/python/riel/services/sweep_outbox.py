"""Find events of the outbox that had no effect, and publish them again.

The stream keeps a day, so a relay that is down for longer, or that gave a record up, loses events;
the outbox keeps them for 14 days. Each age of `sweep_ages_seconds` is a lane of its own: everything
before its watermark was looked at when it was at least so old. The first lane leaves the ordinary
way its time, the next ones look again for what its own message lost.

A lane's watermark has a place for each queue. They move together, page by page, until a queue is
full: its place waits there while the others go on, and catches up once there is room, when the
others are done. So no queue holds up another's events, none is skipped, and what was published is
not published again for the sake of what was not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeGuard

from riel.deadline import Deadline
from riel.domain.events import Event
from riel.observability import count, logger
from riel.services.missing_effects import KNOWN_TYPES, queue_of, without_effect
from riel.services.queue_room import QueueRoom
from riel.services.relay_events import publish
from riel.store import keys
from riel.store.outbox import Place, Unreadable
from riel.store.queues import Queue

if TYPE_CHECKING:
    from riel.app import App

MAX_MINUTES = 60
"""Of one lane in one run; each costs 16 queries. A day is made good in 25 runs."""
PAGE = 500
"""Records that are looked at together, so that a busy minute needs neither memory nor much time
between two looks at the clock. Far fewer than a queue may hold, so a page fits in the end."""
FIRST_LOOK_BACK = timedelta(minutes=15)
"""Where a stage has no watermark yet: longer than its deployment took. What is older was before
there was a sweeper, and `riel outbox replay` is for that."""


@dataclass(frozen=True, slots=True)
class SweptLane:
    """What a run did in one lane.

    `until` is the minute of the place that is furthest back, `behind` how far that is from where
    the lane wants to be.
    """

    until: datetime
    behind: timedelta
    republished: int
    unreadable: int


def sweep_lane(app: App, age_seconds: int, room: QueueRoom, deadline: Deadline) -> SweptLane:
    """Take one lane's watermark as far as it may go. Raises StoreUnavailableError.

    A queue's place passes a page when all of the queue's events in it had their effect or were
    published. Two sweepers at once publish a page twice, and one of them moves on.
    """
    lane = _Lane(app, age_seconds, room)
    for _ in range(MAX_MINUTES * keys.SHARDS):
        if deadline.is_over or not lane.step():
            break
    lane.keep()
    return lane.swept()


class _Lane:
    """A run through one lane: where its queues are, and which of them take no more."""

    def __init__(self, app: App, age_seconds: int, room: QueueRoom) -> None:
        self._app = app
        self._age_seconds = age_seconds
        self._room = room
        now = app.clock()
        self._end = Place(_minute_of(now - timedelta(seconds=age_seconds)))
        self._seen = app.watermarks.get(age_seconds)
        self._places = _start(app, self._seen, self._end, now)
        self._kept = dict(self._places)
        self._full: set[str] = set()
        self._republished = 0
        self._unreadable = 0

    def step(self) -> bool:
        """Look through the next page of those in front; False when there is no more to do.

        It is kept at once when something was published, so that a failure further on publishes
        nothing again, and otherwise once for each minute.
        """
        open_places = {
            queue: place
            for queue, place in self._places.items()
            if place < self._end and queue not in self._full
        }
        if not open_places:
            return False
        here = max(open_places.values())
        page = self._app.outbox.page(here, PAGE)
        events = [entry for entry in page.entries if _is_known(entry)]
        published = self._republished
        taken = self._heal(events, {q for q, place in open_places.items() if place == here})
        if taken and here == max(self._places.values()):
            self._tell_unreadable(entry for entry in page.entries if not _is_known(entry))
        self._places |= dict.fromkeys(taken, page.next)
        is_worth_it = self._republished > published or page.next.minute > here.minute
        return not is_worth_it or self.keep()

    def keep(self) -> bool:
        """Write the places down; False when another sweeper has moved them meanwhile."""
        if self._places != self._seen:
            if not self._app.watermarks.move(self._age_seconds, self._seen, self._places):
                return False
            self._seen = self._kept = dict(self._places)
        return True

    def swept(self) -> SweptLane:
        """Tell what was done."""
        until = min(self._kept.values()).minute
        behind = max(self._end.minute - until, timedelta())
        return SweptLane(until, behind, self._republished, self._unreadable)

    def _heal(self, events: Sequence[Event], queues: Collection[str]) -> set[str]:
        """Publish what had no effect; return the queues of which that is now all there is."""
        missing = without_effect(
            self._app, events, lambda event: queue_of(self._app, event).name in queues
        )
        for queue in {q.url: q for q in (queue_of(self._app, event) for event in missing)}.values():
            group = [event for event in missing if queue_of(self._app, event).url == queue.url]
            if not self._publish(queue, group):
                self._full.add(queue.name)
        return set(queues) - self._full

    def _publish(self, queue: Queue, events: Sequence[Event]) -> bool:
        if not self._room.take_all(queue, len(events)):
            logger.warning("queue is full", extra={"queue": queue.name, "held": len(events)})
            return False
        refused = publish(self._app, events)
        self._republished += len(events) - refused
        count("OutboxEventRepublished", len(events) - refused)
        ids = [event.event_id for event in events]
        logger.warning("published again", extra={"event_ids": ids, "refused": refused})
        return refused == 0

    def _tell_unreadable(self, entries: Iterable[Event | Unreadable]) -> None:
        """What nobody can read is told of, and holds nothing up."""
        for entry in entries:
            self._unreadable += 1
            count("OutboxRecordUnreadable")
            if isinstance(entry, Unreadable):
                told = {"record": entry.key, "reason": entry.reason}
            else:
                reason = f"unknown event type {entry.type!r:.60}"
                told = {"record": entry.event_id, "reason": reason}
            logger.error("unreadable outbox record", extra=told)


def _is_known(entry: Event | Unreadable) -> TypeGuard[Event]:
    return isinstance(entry, Event) and entry.type in KNOWN_TYPES


def _start(app: App, seen: dict[str, Place] | None, end: Place, now: datetime) -> dict[str, Place]:
    """Say where each queue's events are to be looked at from."""
    gateways = (app.gateway_queue(gateway) for gateway in app.config.gateway_queues)
    queues = {queue.name for queue in (app.webhooks_queue, app.payments_queue, *gateways)}
    if seen is None:
        return dict.fromkeys(queues, Place(end.minute - FIRST_LOOK_BACK))
    oldest = Place(_minute_of(now - keys.OUTBOX_LIFE))
    # Whoever passed a time that has not come yet had a wrong clock, and saw nothing of it.
    places = {q: end if place.minute > now else max(place, oldest) for q, place in seen.items()}
    if places.keys() != queues:
        # A queue came or went, and with it the events of its gateway change sides.
        return dict.fromkeys(queues, min(places.values()))
    return places


def _minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
