"""What must hold after every single write: checked on what the write has changed.

The edges are said here again, from the contract and not from the product's table: a table that has
come to allow too much would otherwise judge itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from functions.simulator.charges import Charge, RefundStatus
from infra.simulation.invariants.books import Books, Step
from riel.domain.events import (
    CREATED,
    MERCHANT_EVENTS,
    REFUND_CREATED,
    REFUND_EVENTS,
)
from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.store.deliveries import DELIVERED

EDGES: Mapping[str, frozenset[str]] = {
    "": frozenset({"pending"}),
    "pending": frozenset({"processing", "canceled"}),
    "processing": frozenset({"completed", "failed", "awaiting_payment", "in_review"}),
    "awaiting_payment": frozenset({"completed", "expired", "canceled"}),
    "in_review": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "canceled": frozenset({"completed"}),
    "expired": frozenset({"completed"}),
}
REFUND_EDGES: Mapping[str, frozenset[str]] = {
    "": frozenset({"pending"}),
    "pending": frozenset({"processing"}),
    "processing": frozenset({"completed", "failed", "in_review"}),
    "in_review": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
_FREEING = ("failed", "canceled", "expired")
_FIXED = ("merchant_id", "livemode", "amount", "idempotency_key", "fingerprint", "webhook_url")
_FIXED_OF_REFUND = ("payment_id", "merchant_id", "amount", "fingerprint", "gateway")

Arrived = Callable[[str], bool]
"""Whether an endpoint has answered 2xx to a webhook of this id."""


def check_step(books: Books, step: Step, arrived: Arrived) -> Iterator[tuple[str, str]]:
    """Name each invariant that a step breaks, and say how."""
    for what in step.gone:
        yield "nothing is deleted", what
    for event_id in step.rewritten:
        yield "events never change", event_id
    for before, after in step.payments:
        yield from _payment(before, after)
    for old, new in step.refunds:
        yield from _refund(old, new)
    yield from _told_together(step)
    for payment_id in sorted(step.payment_ids):
        yield from _counted(books, payment_id)
    for _, payment in step.payments:
        yield from _one_for_a_reference(books, payment)
    for earlier, delivery in step.deliveries:
        is_new = earlier is None or earlier.state != DELIVERED
        if delivery.state == DELIVERED and is_new and not arrived(delivery.event_id):
            yield "delivered is what arrived", f"{delivery.type} {delivery.event_id}"


def check_charges(
    books: Books, changed: list[tuple[Charge | None, Charge]]
) -> Iterator[tuple[str, str]]:
    """Name each invariant that a change at the PSP breaks, and say how."""
    for _, charge in changed:
        moved = books.charges_of(charge.payment_id)
        if len(moved) > 1:
            keys = ", ".join(f"{one.gateway} {one.idempotency_key}" for one in moved)
            yield "charged once", f"{charge.payment_id} was charged {len(moved)} times: {keys}"
        yield from _refunded_once(charge)


def _refunded_once(charge: Charge) -> Iterator[tuple[str, str]]:
    done = [one for one in charge.refunds.values() if one["status"] == RefundStatus.SUCCEEDED]
    if sum(one["amount"] for one in done) > charge.received:
        yield "refunds within the charge", f"{charge.payment_id}: {charge.refunded} went back"
    ids = [one["refund_id"] for one in done]
    for refund_id in sorted({one for one in ids if ids.count(one) > 1}):
        yield "refunded once", f"{refund_id} was made {ids.count(refund_id)} times"


def _payment(before: Payment | None, after: Payment) -> Iterator[tuple[str, str]]:
    yield from _history(before, after, EDGES, after.payment_id)
    if before is not None:
        yield from _fixed(before, after, _FIXED, after.payment_id)
        if after.fence < before.fence:
            yield "fences grow", f"{after.payment_id}: from {before.fence} to {after.fence}"
        if after.charge_number < before.charge_number:
            yield "charge numbers grow", f"{after.payment_id}: {after.charge_number}"


def _one_for_a_reference(books: Books, payment: Payment) -> Iterator[tuple[str, str]]:
    """A reference is one payment's until that has failed, expired or been canceled.

    Money that comes for it later completes it all the same.
    """
    if payment.reference is None:
        return
    mine = payment.merchant_id, payment.livemode, payment.reference
    holding = [
        one.payment_id
        for one in books.payments.values()
        if (one.merchant_id, one.livemode, one.reference) == mine
        and not any(str(line.status) in _FREEING for line in one.history)
    ]
    if len(holding) > 1:
        yield "a reference is one payment's", f"{payment.reference}: {', '.join(holding)}"


def _refund(before: Refund | None, after: Refund) -> Iterator[tuple[str, str]]:
    yield from _history(before, after, REFUND_EDGES, after.refund_id)
    if before is not None:
        yield from _fixed(before, after, _FIXED_OF_REFUND, after.refund_id)


def _fixed(before: Any, after: Any, names: tuple[str, ...], what: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if getattr(before, name) != getattr(after, name):
            yield "what was asked for stays", f"{what}: its {name} changed"


def _history(
    before: Any, after: Any, edges: Mapping[str, frozenset[str]], what: str
) -> Iterator[tuple[str, str]]:
    lines, known = after.history, before.history if before else ()
    if lines[: len(known)] != known:
        yield "history only grows", f"{what}: {_told(known)} became {_told(lines)}"
    if [line.sequence for line in lines] != list(range(1, len(lines) + 1)):
        yield "history has no gaps", f"{what}: {[line.sequence for line in lines]}"
    earlier = [*("", *(str(line.status) for line in lines))]
    for was, line in zip(earlier, lines, strict=False):
        if str(line.status) not in edges[was]:
            yield "only allowed edges", f"{what}: {was or 'nothing'} to {line.status}"


def _told(lines: Any) -> str:
    return " > ".join(str(line.status) for line in lines) or "nothing"


def _told_together(step: Step) -> Iterator[tuple[str, str]]:
    """A change and the event that tells of it are written by the same call."""
    due = {
        *(one for before, after in step.payments for one in _of_payment(before, after)),
        *(one for old, new in step.refunds for one in _of_refund(old, new)),
    }
    written = {
        (event.refund_id or event.payment_id, event.sequence, event.type) for event in step.events
    }
    for subject, sequence, kind in sorted(due - written):
        yield "a change and its event commit together", f"{subject}: no {kind} {sequence}"
    for subject, sequence, kind in sorted(written - due):
        yield "a change and its event commit together", f"{subject}: {kind} {sequence} alone"


def _of_payment(before: Payment | None, after: Payment) -> Iterator[tuple[str, int, str]]:
    for line in after.history[len(before.history) if before else 0 :]:
        kind = CREATED if line.sequence == 1 else MERCHANT_EVENTS.get(line.status)
        if kind:
            yield after.payment_id, line.sequence, kind


def _of_refund(before: Refund | None, after: Refund) -> Iterator[tuple[str, int, str]]:
    for line in after.history[len(before.history) if before else 0 :]:
        kind = REFUND_CREATED if line.sequence == 1 else REFUND_EVENTS.get(str(line.status))
        if kind:
            yield after.refund_id, line.sequence, kind


def _counted(books: Books, payment_id: str) -> Iterator[tuple[str, str]]:
    payment = books.payments.get(payment_id)
    refunds = books.refunds_of(payment_id)
    if payment is None:
        if refunds:
            yield "refunds are counted", f"{payment_id} has refunds and does not exist"
        return
    done = sum(one.amount.minor for one in refunds if one.status == "completed")
    held = sum(one.amount.minor for one in refunds if one.status != "failed")
    counted = payment.refunded_minor, payment.reserved_minor, payment.refund_count
    if counted != (done, held, len(refunds)):
        yield (
            "refunds are counted",
            f"{payment_id}: {counted}, and it is {done, held, len(refunds)}",
        )
    if held > payment.received_minor:
        yield "refunds within what came", f"{payment_id}: {held} of {payment.received_minor}"
