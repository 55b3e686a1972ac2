"""Publish again what the relay may have lost. Repeats are absorbed further on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from riel.domain.events import Event
from riel.errors import MalformedMessageError
from riel.services.relay_events import publish
from riel.store.outbox import Unreadable

if TYPE_CHECKING:
    from riel.app import App

CHUNK = 100


@dataclass(slots=True)
class Replayed:
    """What one replay found and did. `refused` events were not taken by their queue."""

    found: int = 0
    published: int = 0
    refused: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


def _ignore(_done: Replayed) -> None:
    """Watch nothing."""


def replay_outbox(
    app: App,
    start: datetime,
    end: datetime,
    *,
    dry_run: bool = False,
    on_progress: Callable[[Replayed], None] = _ignore,
) -> Replayed:
    """Publish the events with start <= at < end; a record that can not be read is listed."""
    done = Replayed()
    chunk: list[Event] = []
    for entry in app.outbox.scan(start, end):
        done.found += 1
        if isinstance(entry, Unreadable):
            done.unreadable.append(entry)
            continue
        chunk.append(entry)
        if len(chunk) == CHUNK:
            _publish(app, chunk, done, dry_run)
            on_progress(done)
            chunk = []
    _publish(app, chunk, done, dry_run)
    on_progress(done)
    return done


def _publish(app: App, events: list[Event], done: Replayed, dry_run: bool) -> None:
    if dry_run:
        done.published += len(events)
        return
    try:
        refused = publish(app, events)
    except MalformedMessageError:
        # Nothing was sent: the events are turned into letters first. Find the one that is odd.
        if len(events) > 1:
            for event in events:
                _publish(app, [event], done, dry_run)
            return
        event = events[0]
        done.unreadable.append(Unreadable(event.event_id, f"unknown event type {event.type!r:.60}"))
        return
    done.refused += refused
    done.published += len(events) - refused
