"""What needs attention, and what was acknowledged of it; alike for payments and refunds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from riel.domain.payment import (
    Acknowledgement,
    Attention,
    Ignored,
    Payment,
    Status,
    waits_since,
)

if TYPE_CHECKING:
    from riel.domain.refund import Refund

T = TypeVar("T", Payment, "Refund")


def attention_words(item: Payment | Refund) -> str:
    """What needs attention, and why; empty if nothing does."""
    return _words(item.attention, item.attention_reason) if item.attention else ""


def contradict(item: T, reason: str, at: datetime) -> T | Ignored:
    """Let a person look at what the PSP says, unless that is no news.

    A PSP repeats itself, and one call in the night is enough; what was acknowledged, or decided in
    a review, is no news either, as long as the PSP says the same.
    """
    if reason in (f"{line.cause}: {line.note}" for line in item.history):
        return Ignored("decided already")
    words = _words(Attention.CONTRADICTION, reason)
    if words in (attention_words(item), *(done.what for done in item.acknowledged)):
        return Ignored("known already")
    return replace(
        item, attention=Attention.CONTRADICTION, attention_reason=reason, attention_at=at
    )


def acknowledge(item: T, who: str, why: str, at: datetime) -> T | Ignored:
    """Take note that an operator has dealt with what needed attention, or say why not."""
    if waits_since(item) is None:
        return Ignored("nothing about it waits to be acknowledged")
    if item.status == Status.IN_REVIEW:
        return Ignored("what is in review is decided, not acknowledged")
    done = Acknowledgement(attention_words(item), who, why, at)
    return replace(
        item,
        acknowledged=(*item.acknowledged, done),
        attention=None,
        attention_reason=None,
        attention_at=None,
    )


def _words(attention: str | None, reason: str | None) -> str:
    return f"{attention}: {reason}" if reason else str(attention)
