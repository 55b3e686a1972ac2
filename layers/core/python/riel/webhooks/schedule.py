"""When a failed delivery is tried again: data of the stage, jittered so that crowds spread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

JITTER = 0.2
MAX_RETRY_AFTER_SECONDS = 3600
"""What an endpoint can ask for at most, so that none keeps its deliveries pending for ever."""


def next_delay(
    retries_done: int, schedule: tuple[int, ...], random: Random, retry_after: int | None = None
) -> int | None:
    """Whole seconds until the next try, or None when the schedule is used up.

    `schedule[n]` is the wait before retry n+1. A `Retry-After` of the endpoint can lengthen the
    wait to an hour, never shorten it.
    """
    if retries_done >= len(schedule):
        return None
    wait = round(schedule[retries_done] * random.uniform(1 - JITTER, 1 + JITTER))
    if retry_after is not None:
        wait = max(wait, min(retry_after, MAX_RETRY_AFTER_SECONDS))
    return wait


def longest_life(schedule: Sequence[int]) -> timedelta:
    """How old a delivery can become that waits for its turns: the schedule, and half of it more."""
    return 1.5 * timedelta(seconds=sum(schedule)) + timedelta(hours=1)
