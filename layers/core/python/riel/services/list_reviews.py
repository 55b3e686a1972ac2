"""List what waits for a person, of all merchants: reviews, and payments that need attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from riel import threads
from riel.domain.money import Money
from riel.domain.payment import Attention, Payment, Status, waits_since, waits_why
from riel.domain.refund import Refund
from riel.store.due import Waiting
from riel.store.keys import WATCHED_SHARD, due_partition, review_partition

if TYPE_CHECKING:
    from riel.app import App

READ_AT_ONCE = 8
IN_REVIEW = str(Status.IN_REVIEW)
WHYS = (IN_REVIEW, *(str(a) for a in Attention if a is not Attention.DEAD_LETTER))
"""Why something can wait for a person; what waits in a dead-letter queue is listed there."""
_WATCHED = due_partition(WATCHED_SHARD)


@dataclass(frozen=True, slots=True)
class Review:
    """One payment or refund that a person has to look at.

    `why` is one of WHYS; `cause` says in a word what led to it, `told` what the PSP said.
    """

    payment_id: str
    refund_id: str
    merchant_id: str
    gateway: str
    amount: Money
    why: str
    cause: str
    told: str
    since: datetime


def list_reviews(app: App, limit: int, why: str = "") -> list[Review]:
    """Read up to `limit` of each of WHYS, the oldest first, as they are now.

    The list may lag by seconds.
    """
    partitions = [review_partition(one) for one in ([why] if why else WHYS)]
    waiting = [one for part in (*partitions, _WATCHED) for one in app.due.waiting(part, limit)]
    with threads.pool(READ_AT_ONCE) as pool:
        found = list(pool.map(lambda one: _review(app, one), waiting))
    wanted = (one for one in found if one and why in ("", one.why))
    return sorted(wanted, key=lambda one: (one.since, one.payment_id))


def count_reviews(app: App) -> dict[str, int]:
    """Count what is in review, and what needs attention."""
    others = [review_partition(why) for why in WHYS if why != IN_REVIEW]
    return {
        "in_review": app.due.count(review_partition(IN_REVIEW)),
        "attention": sum(app.due.count(part) for part in (*others, _WATCHED)),
    }


def _review(app: App, waiting: Waiting) -> Review | None:
    if waiting.refund_id:
        refund = app.refunds.get(waiting.payment_id, waiting.refund_id)
        return _of(refund) if refund else None
    payment = app.payments.get(waiting.payment_id)
    return _of(payment) if payment else None


def _of(subject: Payment | Refund) -> Review | None:
    since = waits_since(subject)
    if since is None:
        return None
    last = subject.history[-1]
    cause, told = last.cause, last.note
    if subject.attention_reason:
        cause, _, told = subject.attention_reason.partition(": ")
    return Review(
        payment_id=subject.payment_id,
        refund_id=subject.refund_id if isinstance(subject, Refund) else "",
        merchant_id=subject.merchant_id,
        gateway=subject.gateway,
        amount=subject.amount,
        why=waits_why(subject),
        cause=cause,
        told=told,
        since=since,
    )
