"""Doubt: when to send again, when to wait, when to ask a person. Pure, and alike for refunds.

"Not found" is proof only when no request of ours can still be under way, and a proven absence
allows another send with the same key while the PSP remembers it. All else waits for the next
look-up of the schedule, and when that is used up a person decides. Nothing is ever guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from riel.domain.instants import epoch_milliseconds, from_epoch_milliseconds
from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.gateways.capabilities import Capabilities

T = TypeVar("T", Payment, Refund)

MAX_SENDS = 2
"""Answers that may get lost: after so many, nothing is sent any more."""
KEY_LIFE_MARGIN = timedelta(minutes=10)
"""Kept from the PSP's memory of a key, for clocks that differ and requests under way."""
EARLY_MS = 1000
"""A delayed copy may come so much before its time."""
LONGEST_COPY_SECONDS = 60
"""From here on a wait is kept by the index of what is due, not by a delayed copy."""
SILENCE = timedelta(days=1)
"""Of a PSP that never answers a look-up, on top of the schedule; an outage may last so long."""
OUTCOME_UNKNOWN = "outcome_unknown"
WINDOW_PASSED = "idempotency_window_passed"


@dataclass(frozen=True, slots=True)
class Send:
    """Nothing is at the PSP, and nothing can still arrive there: send, with the same key."""


@dataclass(frozen=True, slots=True)
class Early:
    """Nothing was found, and the next look-up stands in the schedule already."""


@dataclass(frozen=True, slots=True)
class Wait(Generic[T]):
    """Look again after so many seconds; `item` is what to write of that."""

    item: T
    seconds: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A person has to decide; `cause` says why."""

    cause: str


def after_not_found(
    item: T, can: Capabilities, schedule: Sequence[int], now: datetime
) -> Send | Wait[T] | Early | GiveUp:
    """Decide what follows when the PSP knows nothing of a charge or refund that we may have sent.

    `schedule` is the seconds before each look-up.
    """
    now_ms = epoch_milliseconds(now)
    is_proven = now_ms >= item.quiet_since_ms + can.longest_request_seconds * 1000
    if is_proven and item.unknown_outcomes < MAX_SENDS:
        is_remembered = now < item.history[1].at + _safe_life(can)
        return Send() if is_remembered else GiveUp(WINDOW_PASSED)
    if is_early(item, now):
        return Early()
    if item.look_ups >= len(schedule):
        return GiveUp(OUTCOME_UNKNOWN)
    return _wait(item, schedule[item.look_ups], now)


def after_lost_answer(
    item: T, sent_at: datetime, schedule: Sequence[int], now: datetime
) -> Wait[T]:
    """Decide when to look for what was sent: it is looked for once at least after every send."""
    seconds = schedule[min(item.look_ups, len(schedule) - 1)]
    return _wait(sent(item, sent_at), seconds, now)


def is_used_up(item: Payment | Refund, schedule: Sequence[int], now: datetime) -> bool:
    """Whether the schedule would be over long since, had the PSP answered its look-ups at all."""
    is_in_doubt = item.quiet_since_ms > 0
    return is_in_doubt and now >= item.history[1].at + timedelta(seconds=sum(schedule)) + SILENCE


def sent(item: T, at: datetime) -> T:
    """Note that something was sent, and that nobody knows what became of it."""
    return replace(
        item, quiet_since_ms=epoch_milliseconds(at), unknown_outcomes=item.unknown_outcomes + 1
    )


def is_early(item: Payment | Refund, now: datetime) -> bool:
    """Whether the item waits for a later step, so that this one is a repeat."""
    return epoch_milliseconds(now) < item.not_before_ms - EARLY_MS


def waiting(item: T, seconds: int, now: datetime) -> T:
    """Write down until when the item waits, and that it needs nobody's attention."""
    not_before = now + timedelta(seconds=seconds)
    return replace(
        item,
        not_before_ms=epoch_milliseconds(not_before),
        due_at=not_before if seconds >= LONGEST_COPY_SECONDS else None,
        attention=None,
        attention_reason=None,
    )


def as_scheduled(item: T) -> T:
    """Let the index bring the item back when its schedule says, if that is how it waits."""
    if item.due_at is None:
        return item
    return replace(item, due_at=from_epoch_milliseconds(item.not_before_ms))


def _wait(item: T, seconds: int, now: datetime) -> Wait[T]:
    return Wait(waiting(replace(item, look_ups=item.look_ups + 1), seconds, now), seconds)


def _safe_life(can: Capabilities) -> timedelta:
    return max(timedelta(seconds=can.key_life_seconds) - KEY_LIFE_MARGIN, timedelta(0))
