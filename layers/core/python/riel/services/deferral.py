"""Later: a delayed copy on the gateway's own queue, or the index of what is due.

The message at hand is then done with, so its receives count crashes and poison alone. What has a
due time is brought back by the sweeper and needs no copy; so no number of repeats adds up to more
copies than there were.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from riel.observability import count
from riel.services.doubt import LONGEST_COPY_SECONDS, T, Wait
from riel.services.steps import GiveBackError, RefundStep, Step, body_of
from riel.store.queues import MAX_DELAY_SECONDS

if TYPE_CHECKING:
    from riel.app import App

MIN_JITTER, MAX_JITTER = 0.5, 1.5
LATE_JITTER = 1.2


def defer(app: App, step: Step | RefundStep, gateway: str, at_least: float = 0.0) -> str:
    """Send a delayed copy: the gateway, or our own table, has to come back first."""
    schedule = app.config.gateway_retry_seconds
    wait = schedule[min(step.waits, len(schedule) - 1)]
    shortest = max(wait * MIN_JITTER, at_least)
    longest = max(wait * MAX_JITTER, at_least + 1)
    delay = math.ceil(app.random.uniform(shortest, min(longest, MAX_DELAY_SECONDS)))
    again = replace(step, waits=step.waits + 1)
    app.gateway_queue(gateway).send(body_of(again), delay)
    count("PaymentStepDeferred")
    return f"deferred {delay} s"


def wait_for_look_up(app: App, step: Step | RefundStep, gateway: str, wait: Wait[T]) -> str:
    """Arrange the next look-up, before it is written that there is one."""
    if wait.seconds < LONGEST_COPY_SECONDS:
        come_back(app, step, gateway, wait.seconds)
    return f"outcome unknown, looked up again in {wait.seconds} s"


def held(app: App, step: Step | RefundStep, seconds: float, receives: int) -> str:
    """Let a message that finds another worker at it come after that one's lease.

    It is given back (GiveBackError), which costs a receive. The last receive is not spent on that:
    a copy comes instead, so that a message does not die of another's work.
    """
    wait = int(seconds) + 1
    if receives < app.config.payments_max_receives:
        raise GiveBackError(wait)
    come_back(app, step, step.gateway, wait)
    return f"held by another worker, a copy comes in {wait} s"


def come_back(app: App, step: Step | RefundStep, gateway: str, seconds: int) -> None:
    """Send a copy that comes after so many seconds, never sooner; its waits begin anew."""
    delay = math.ceil(seconds * app.random.uniform(1, LATE_JITTER))
    app.gateway_queue(gateway).send(body_of(replace(step, waits=0)), delay)


def postponed(app: App, item: T) -> T:
    """Let what the index brought be brought again, when the gateway may be back."""
    wait = timedelta(seconds=app.config.gateway_retry_seconds[-1])
    count("PaymentStepDeferred")
    return replace(item, due_at=app.clock() + wait)
