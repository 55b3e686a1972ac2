"""Payments and their refunds: created once, claimed by one, moved with their event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.attention import acknowledge
from riel.domain.events import payment_created, payment_moved, refund_created, refund_moved
from riel.domain.money import Money
from riel.domain.payment import Applied, Attention, Change, Ignored, Payment, Status, apply
from riel.domain.refund import (
    Refund,
    RefundApplied,
    RefundChange,
    RefundStatus,
    RefundTransition,
    apply_refund,
    reserve,
)
from riel.errors import DuplicateReferenceError, LeaseLostError
from riel.store.claims import Held
from riel.store.payments import Claimed, Unclaimable
from riel.store.refunds import ClaimedRefund, Reserved, UnclaimableRefund
from tests.builders import NOON, make_payment, store_payment
from tests.payments import advance, store_awaiting, store_completed
from tests.store.conftest import Database

LEASE = timedelta(seconds=20)
SOON = NOON + timedelta(seconds=5)
LATER = NOON + timedelta(seconds=21)


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def create(app: App, payment: Payment) -> Payment | None:
    event = payment_created(ids.event_id(payment.payment_id, 1), payment)
    return app.payments.create(payment, event)


def claim(app: App, payment: Payment, at: datetime = NOON) -> Payment:
    claimed = app.payments.claim(payment.payment_id, at, LEASE)
    assert isinstance(claimed, Claimed), claimed
    return claimed.payment


def moved(payment: Payment, status: Status, **change: Any) -> Payment:
    applied = apply(payment, Change(status, NOON, "test", **change))
    assert isinstance(applied, Applied)
    return applied.payment


def events_of(app: App, payment: Payment) -> list[str]:
    events = app.outbox.between(NOON, NOON + timedelta(minutes=1))
    return sorted(event.type for event in events if event.payment_id == payment.payment_id)


def record(app: App, before: Payment, after: Payment) -> None:
    event = payment_moved(ids.event_id(after.payment_id, after.sequence), after)
    app.payments.record(before, after, event)


def test_a_payment_comes_back_as_it_was_created_with_its_event(app: App) -> None:
    payment = make_payment(metadata={"order": "7", "ñ": "🙂"}, description="shoes")

    assert create(app, payment) is None

    assert stored(app, payment) == payment
    assert events_of(app, payment) == ["payment.created"]


def test_a_second_create_changes_nothing_and_returns_the_first(app: App) -> None:
    payment = store_payment(app)
    other = replace(payment, description="other", fingerprint="g")

    assert create(app, other) == payment

    assert stored(app, payment) == payment
    assert events_of(app, payment) == ["payment.created"]


def test_of_two_claims_one_holds_until_the_lease_ends(app: App) -> None:
    payment = store_payment(app)

    mine = claim(app, payment)
    held = app.payments.claim(payment.payment_id, SOON, LEASE)
    theirs = claim(app, payment, LATER)

    assert (mine.status, mine.sequence, mine.fence) == (Status.PROCESSING, 2, 1)
    assert held == Held(15)
    assert (theirs.fence, theirs.sequence) == (2, 2)
    assert theirs.quiet_since_ms == int((NOON + LEASE).timestamp() * 1000)


def test_who_slept_through_its_lease_records_nothing(app: App) -> None:
    payment = store_payment(app)
    mine = claim(app, payment)
    theirs = claim(app, payment, LATER)

    with pytest.raises(LeaseLostError):
        record(app, mine, moved(mine, Status.FAILED))
    record(app, theirs, moved(theirs, Status.COMPLETED))

    assert stored(app, payment).status == Status.COMPLETED
    assert events_of(app, payment) == ["payment.completed", "payment.created"]


def test_a_result_is_recorded_once_and_ends_the_claim(app: App) -> None:
    payment = store_payment(app)
    mine = claim(app, payment)
    after = moved(mine, Status.COMPLETED, received_minor=payment.amount.minor)

    record(app, mine, after)
    with pytest.raises(LeaseLostError):
        record(app, mine, after)

    found = stored(app, payment)
    assert found.history == after.history
    assert found.received_minor == payment.amount.minor
    assert app.payments.claim(payment.payment_id, LATER, LEASE) == Unclaimable(found)


def test_nobody_claims_what_does_not_exist(app: App) -> None:
    assert app.payments.claim("pay_nothing", NOON, LEASE) == Unclaimable(None)
    assert app.payments.get("pay_nothing") is None


def test_a_claim_that_was_given_back_is_taken_again_with_what_was_left_there(app: App) -> None:
    payment = store_payment(app)
    mine = claim(app, payment)
    due_at = NOON + timedelta(minutes=5)
    left = replace(mine, quiet_since_ms=7, unknown_outcomes=2, declines=("soft",), due_at=due_at)

    assert app.payments.release(left)
    theirs = claim(app, payment, SOON)

    assert (theirs.fence, theirs.quiet_since_ms) == (2, 7)
    assert (theirs.unknown_outcomes, theirs.declines, theirs.due_at) == (2, ("soft",), due_at)
    assert not app.payments.release(mine), "the claim is another's by now"


def test_of_two_moves_from_one_state_one_is_written(app: App) -> None:
    payment = store_payment(app)
    canceled = moved(payment, Status.CANCELED)
    event = payment_moved(ids.event_id(payment.payment_id, canceled.sequence), canceled)

    assert app.payments.move(payment, canceled, event)
    assert not app.payments.move(payment, canceled, event)

    assert stored(app, payment).status == Status.CANCELED
    assert len(stored(app, payment).history) == 2


def test_a_move_needs_the_money_to_be_as_it_was_seen(app: App) -> None:
    payment = store_awaiting(app)
    paid = replace(payment, received_minor=1)
    assert app.payments.note(payment, paid)

    after = moved(payment, Status.EXPIRED)
    event = payment_moved(ids.event_id(payment.payment_id, after.sequence), after)
    assert not app.payments.move(payment, after, event)
    assert not app.payments.note(payment, replace(payment, received_minor=2))
    assert app.payments.note(paid, replace(payment, received_minor=3))

    assert stored(app, payment).received_minor == 3


def test_a_reference_is_one_payments_until_that_is_given_up(app: App) -> None:
    first = store_payment(app, idempotency_key="first", reference="order-1")
    second = make_payment(idempotency_key="second", reference="order-1")
    third = make_payment(idempotency_key="third", reference="order-1")

    with pytest.raises(DuplicateReferenceError, match=first.payment_id):
        create(app, second)
    assert app.payments.get(second.payment_id) is None
    advance(app, first, Status.CANCELED)
    assert create(app, second) is None
    with pytest.raises(DuplicateReferenceError, match=second.payment_id):
        create(app, third)
    assert create(app, first) == stored(app, first), "a replay is told from a duplicate"


def make_refund(payment: Payment, key: str = "r", minor: int = 3000) -> Refund:
    return Refund(
        refund_id=ids.refund_id(payment.merchant_id, payment.livemode, payment.payment_id, key),
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=Money(minor, payment.amount.currency),
        fingerprint="f",
        gateway=payment.gateway,
        history=(RefundTransition(1, RefundStatus.PENDING, NOON, "created"),),
    )


def hold(app: App, payment: Payment, refund: Refund) -> Reserved:
    after = reserve(payment, refund.amount)
    assert not isinstance(after, Ignored)
    event = refund_created(ids.event_id(refund.refund_id, 1), payment, refund)
    return app.refunds.create(payment, after, refund, event)


def end(app: App, payment: Payment, refund: Refund, status: RefundStatus) -> Refund:
    applied = apply_refund(refund, payment, RefundChange(status, NOON, "test"))
    assert isinstance(applied, RefundApplied)
    after = applied.refund
    event = refund_moved(ids.event_id(refund.refund_id, after.sequence), payment, after)
    app.refunds.record(refund, after, event)
    return after


def claim_refund(app: App, refund: Refund, at: datetime = NOON) -> Refund:
    claimed = app.refunds.claim(refund.payment_id, refund.refund_id, at, LEASE)
    assert isinstance(claimed, ClaimedRefund), claimed
    return claimed.refund


def test_of_two_refunds_of_one_reading_one_holds_the_money(app: App) -> None:
    payment = store_completed(app)
    first, second = make_refund(payment, "first"), make_refund(payment, "second")

    assert hold(app, payment, first) is Reserved.WRITTEN
    assert hold(app, payment, second) is Reserved.CHANGED
    assert hold(app, stored(app, payment), first) is Reserved.EXISTS
    assert hold(app, stored(app, payment), second) is Reserved.WRITTEN

    assert (stored(app, payment).reserved_minor, stored(app, payment).refund_count) == (6000, 2)
    assert {refund.refund_id for refund in app.refunds.of_payment(payment.payment_id)} == {
        first.refund_id,
        second.refund_id,
    }
    assert events_of(app, payment).count("refund.created") == 2


@pytest.mark.parametrize(
    ("status", "reserved", "refunded"),
    [(RefundStatus.COMPLETED, 3000, 3000), (RefundStatus.FAILED, 0, 0)],
)
def test_a_refunds_end_is_counted_in_its_payment_once(
    app: App, status: RefundStatus, reserved: int, refunded: int
) -> None:
    payment = store_completed(app)
    refund = make_refund(payment)
    hold(app, payment, refund)
    mine = claim_refund(app, refund)

    after = end(app, payment, mine, status)
    with pytest.raises(LeaseLostError):
        end(app, payment, mine, status)

    counted = stored(app, payment)
    assert (counted.reserved_minor, counted.refunded_minor) == (reserved, refunded)
    assert app.refunds.get(payment.payment_id, refund.refund_id) == replace(
        after, fence=1, quiet_since_ms=0
    )


def test_a_refund_is_claimed_as_a_payment_is(app: App) -> None:
    payment = store_completed(app)
    refund = make_refund(payment)
    hold(app, payment, refund)
    mine = claim_refund(app, refund)

    held = app.refunds.claim(payment.payment_id, refund.refund_id, SOON, LEASE)
    assert held == Held(15)
    assert app.refunds.release(replace(mine, quiet_since_ms=0, look_ups=1))
    theirs = claim_refund(app, refund, SOON)
    with pytest.raises(LeaseLostError):
        end(app, payment, mine, RefundStatus.COMPLETED)
    done = end(app, payment, theirs, RefundStatus.COMPLETED)

    assert (theirs.fence, theirs.look_ups) == (2, 1)
    refused = app.refunds.claim(payment.payment_id, refund.refund_id, LATER, LEASE)
    assert isinstance(refused, UnclaimableRefund)
    assert refused.refund is not None
    assert refused.refund.history == done.history
    assert app.refunds.claim(payment.payment_id, "re_none", NOON, LEASE) == UnclaimableRefund(None)


def test_all_of_a_payment_is_read_together(app: App) -> None:
    payment = store_completed(app)
    refund = make_refund(payment)
    hold(app, payment, refund)

    whole = app.whole_payments.get(payment.payment_id)

    assert whole is not None
    assert whole.payment == stored(app, payment)
    assert (whole.refunds, whole.deliveries) == ((refund,), ())
    assert app.whole_payments.get("pay_nothing") is None


def test_what_was_acknowledged_is_added_once_and_leaves_the_list(
    app: App, database: Database
) -> None:
    payment = store_payment(app)
    doubted = replace(
        payment, attention=Attention.CONTRADICTION, attention_reason="paid", attention_at=NOON
    )
    assert app.payments.note(payment, doubted)
    assert len(app.due.waiting("review#contradiction", 10)) == 1
    done = acknowledge(doubted, "ana", "known", NOON)
    assert not isinstance(done, Ignored)

    assert app.acknowledgements.write(doubted, done)
    assert not app.acknowledgements.write(doubted, done)

    assert stored(app, payment).acknowledged == done.acknowledged
    assert stored(app, payment).attention is None
    assert app.due.waiting("review#contradiction", 10) == []


def test_standings_tell_how_far_payments_and_refunds_are(app: App) -> None:
    payment = store_completed(app)
    refund = make_refund(payment)
    hold(app, payment, refund)
    subjects = [(payment.payment_id, ""), (payment.payment_id, refund.refund_id), ("none", "")]

    found = app.effects.standings(subjects)

    assert {subject: standing.status for subject, standing in found.items()} == {
        subjects[0]: "completed",
        subjects[1]: "pending",
    }
