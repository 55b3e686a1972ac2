"""The sweeper's run: what is due, then the outbox at each age, within a budget of time.

It finds what got stuck anywhere, by the tables alone: no message has to arrive for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from riel.deadline import Deadline
from riel.errors import StoreUnavailableError
from riel.observability import measure_seconds
from riel.services.queue_room import QueueRoom
from riel.services.sweep_due import SweptDue, sweep_due, sweep_webhooks
from riel.services.sweep_outbox import sweep_lane

if TYPE_CHECKING:
    from riel.app import App


@dataclass(slots=True)
class Swept:
    """What a run did. `lag_seconds` is how late the oldest thing is that the run left undone."""

    due_sent: int = 0
    republished: int = 0
    unreadable: int = 0
    lag_seconds: float = 0.0


def sweep(app: App, seconds: float) -> Swept:
    """Do what can be done in so many seconds; the next run goes on from there.

    A part that the store fails does not keep the others; its error is raised at the end, and no
    lag is told then, because nobody knows it.
    """
    # What is delayed among the webhooks was tried, so the sweeper does not miss it.
    room = QueueRoom(delayed_is_known={app.config.webhooks_queue_url})
    done, whole = Swept(), Deadline(seconds)
    failures: list[StoreUnavailableError] = []
    parts = len(app.config.sweep_ages_seconds) + 2
    for sweep_part in (sweep_due, sweep_webhooks):
        try:
            _due(app, done, sweep_part(app, room, Deadline(seconds / parts)))
        except StoreUnavailableError as error:
            failures.append(error)
    for n, age_seconds in enumerate(app.config.sweep_ages_seconds):
        lanes_left = len(app.config.sweep_ages_seconds) - n
        try:
            _lane(app, done, age_seconds, room, Deadline(whole.remaining / lanes_left))
        except StoreUnavailableError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    measure_seconds("SweeperLagSeconds", done.lag_seconds)
    return done


def _due(app: App, done: Swept, swept: SweptDue) -> None:
    done.due_sent += swept.sent
    if swept.oldest_left:
        _note_lag(done, (app.clock() - swept.oldest_left).total_seconds())


def _lane(app: App, done: Swept, age_seconds: int, room: QueueRoom, deadline: Deadline) -> None:
    swept = sweep_lane(app, age_seconds, room, deadline)
    done.republished += swept.republished
    done.unreadable += swept.unreadable
    _note_lag(done, swept.behind.total_seconds())


def _note_lag(done: Swept, seconds: float) -> None:
    done.lag_seconds = max(done.lag_seconds, seconds)
