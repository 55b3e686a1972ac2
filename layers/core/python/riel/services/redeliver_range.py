"""Send again what merchants should have been told in a range of time: an operator's work.

The events are read from the outbox, which keeps them for 14 days, so that none is overlooked that
was never tried. The work is bounded, and goes at a rate that endpoints which just came back bear.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from riel.domain.events import TOLD_TO_MERCHANTS, Event
from riel.errors import UnavailableError
from riel.services.list_deliveries import is_kept
from riel.services.redeliver_webhook import redeliver
from riel.services.webhook_message import Webhook
from riel.store.deliveries import DELIVERED, FAILED, PENDING, Delivery
from riel.store.outbox import Unreadable

if TYPE_CHECKING:
    from riel.app import App

STATES = (PENDING, DELIVERED, FAILED)
MAX_EVENTS = 10_000
"""How many are sent again in one run; another run goes on where this one says that it ended."""
CHUNK = 100


@dataclass(frozen=True, slots=True)
class RedeliverOrder:
    """Which ones: those in `states`, of one merchant or of all, to one URL or to any.

    `rate` is events a second.
    """

    states: frozenset[str] = frozenset({FAILED})
    merchant_id: str = ""
    url: str = ""
    dry_run: bool = False
    rate: float = 10.0


@dataclass(slots=True)
class Redelivered:
    """What was found and done. `others` are in another state.

    `left` has the event's id and the reason of each one that could not be sent. `next_from` is the
    time of the first event that was not looked at, once MAX_EVENTS were sent.
    """

    found: int = 0
    sent: int = 0
    others: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    next_from: datetime | None = None


def redeliver_range(
    app: App,
    start: datetime,
    end: datetime,
    order: RedeliverOrder,
    on_progress: Callable[[Redelivered], None] = lambda _done: None,
) -> Redelivered:
    """Send again the events with start <= at < end, in the order of their times."""
    done = Redelivered()
    events = _told(app, start, end, order, done)
    while chunk := list(islice(events, CHUNK)):
        redeliver_many(app, _deliveries(app, chunk), order, done, on_progress)
        if done.next_from:
            break
    return done


def redeliver_many(
    app: App,
    deliveries: Sequence[Delivery],
    order: RedeliverOrder,
    done: Redelivered,
    on_progress: Callable[[Redelivered], None] = lambda _done: None,
) -> None:
    """Send these again as far as the order wants them, and note in `done` what became of each."""
    for delivery in deliveries:
        if done.sent == MAX_EVENTS:
            done.next_from = delivery.event_at
            return
        done.found += 1
        if delivery.state not in order.states:
            done.others += 1
        elif not is_kept(delivery, app.clock()):
            done.left.append((delivery.event_id, "event_expired"))
        else:
            _redeliver_one(app, delivery, order, done)
        on_progress(done)


def _redeliver_one(app: App, delivery: Delivery, order: RedeliverOrder, done: Redelivered) -> None:
    if not order.dry_run:
        if done.sent:
            time.sleep(1 / order.rate)
        try:
            redeliver(app, delivery)
        except UnavailableError as error:
            done.left.append((delivery.event_id, str(error)))
            return
    done.sent += 1


def _told(
    app: App, start: datetime, end: datetime, order: RedeliverOrder, done: Redelivered
) -> Iterator[Event]:
    for entry in app.outbox.scan(start, end):
        if isinstance(entry, Unreadable):
            done.unreadable.append(entry)
        elif (
            entry.type in TOLD_TO_MERCHANTS
            and entry.webhook_url
            and order.merchant_id in ("", entry.merchant_id)
            and order.url in ("", entry.webhook_url)
        ):
            yield entry


def _deliveries(app: App, events: Sequence[Event]) -> list[Delivery]:
    stored = app.deliveries.of_events([(event.payment_id, event.event_id) for event in events])
    return [
        stored.get(event.event_id) or Webhook.of_event(event).new_delivery() for event in events
    ]
