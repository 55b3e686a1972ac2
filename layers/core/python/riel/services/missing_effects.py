"""Which events of the outbox did not cause what they should have.

What an event should have caused is a few reads, a fraction of what a mark in the table would cost,
and most need none: a later event of the same payment beside it proves that it moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.domain.events import CREATED, REFUND_CREATED, TOLD_TO_MERCHANTS, Event
from riel.domain.payment import Status
from riel.observability import count, logger
from riel.store.effects import Standing, Subject
from riel.store.queues import Queue

if TYPE_CHECKING:
    from riel.app import App

SILENCE = timedelta(minutes=1)
"""A look-up that waits for longer stands in the index of what is due, so a claim that was given up
so long ago, and does not, may have lost its message. What an unavailable gateway or a soft decline
keeps waiting has not: its copy too many finds nothing to do yet, or waits beside the other."""
_STARTS = (CREATED, REFUND_CREATED)
KNOWN_TYPES = frozenset({*_STARTS, *TOLD_TO_MERCHANTS})


def queue_of(app: App, event: Event) -> Queue:
    """Find the queue that should have had the event."""
    return app.gateway_queue(event.gateway) if event.type in _STARTS else app.webhooks_queue


def without_effect(
    app: App, events: Sequence[Event], is_asked: Callable[[Event], bool]
) -> list[Event]:
    """Of the events that are asked about, find those without their effect, given all beside them.

    Raises StoreUnavailableError.
    """
    moved = {_subject(event) for event in events if event.type not in _STARTS}
    asked = [event for event in events if is_asked(event)]
    starts = [event for event in asked if event.type in _STARTS and _subject(event) not in moved]
    told = [event for event in asked if event.type not in _STARTS and event.webhook_url]
    return [*_not_begun(app, starts), *_not_sent(app, told)]


def _subject(event: Event) -> Subject:
    return event.payment_id, event.refund_id


def _not_begun(app: App, events: Sequence[Event]) -> list[Event]:
    """Of events that start a gateway step, those whose step never began, or was lost."""
    found = app.effects.standings({_subject(event) for event in events})
    now = app.clock()
    missing: list[Event] = []
    for event in events:
        standing = found.get(_subject(event))
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
