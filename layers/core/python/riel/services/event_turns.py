"""When to look again for a PSP's event. Pure.

A PSP may tell of what its own look-up does not show yet, so a look that brings nothing does not
use an event up. It has turns, by its age; but for most events it is plain at once that another
look would show nothing more, or that the payment comes back by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.store.inbox import InboxEvent

_OWN_STEP = frozenset({"pending", "processing"})
"""Its own step looks, and again, until the PSP has told."""


def next_turn(event: InboxEvent, waits_seconds: Sequence[int], now: datetime) -> datetime | None:
    """When to look next: a matter of the event's age, so that a repeat of it uses up no turn."""
    turns = (event.received_at + timedelta(seconds=age) for age in accumulate(waits_seconds))
    return next((turn for turn in turns if turn > now), None)


def is_done_with(
    event: InboxEvent,
    before: Payment | Refund,
    after: Payment | Refund,
    turn: datetime,
) -> bool:
    """Whether a look did all that the event can lead to, so that none is needed at its `turn`."""
    if _told(before) != _told(after) or after.status in _OWN_STEP:
        return True
    last = after.history[-1]
    if after.status == "completed" or last.cause == "gateway_declined":
        # Both are the PSP's last word.
        return True
    if after.status == "awaiting_payment" and event.at is not None and event.at <= last.at:
        # It tells of the voucher itself. A PSP's clock that is late costs no more than the wait.
        return True
    return after.due_at is not None and after.due_at <= turn


def _told(subject: Payment | Refund) -> tuple[object, ...]:
    received = subject.received_minor if isinstance(subject, Payment) else 0
    return subject.sequence, received, subject.attention, subject.attention_reason
