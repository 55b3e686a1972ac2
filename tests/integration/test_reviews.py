"""What waits for a person is found without a scan, and goes when the person is done with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from riel.app import App
from riel.deadline import Deadline
from riel.domain.money import Money
from riel.domain.payment import Attention, Method, Payment, Status
from riel.domain.refund import RefundStatus
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.gateways.base import Charged, Declined, RefundDeclined, Refunded
from riel.services.acknowledge_payment import acknowledge_payment, acknowledge_refund
from riel.services.create_refund import refund_late_payment
from riel.services.list_reviews import Review, count_reviews, list_reviews
from riel.services.process_payment import process_payment
from riel.services.process_refund import process_refund
from riel.services.queue_room import QueueRoom
from riel.services.resolve_payment import resolve_payment
from riel.services.resolve_refund import resolve_refund
from riel.services.steps import RefundStep, Step
from riel.services.sweep_due import sweep_due
from tests.builders import NOON, FakeClock, FakeGateway, store_payment
from tests.integration.inbox import counted

OTHER = Money(10_051, "MXN")
SAID = "asked for 100.50 MXN, the PSP says 100.51 MXN"


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def take(app: App, payment: Payment, *, look: bool = False) -> str:
    return process_payment(app, Step(payment.payment_id, look=look), receives=1)


def charged_twice_over(app: App, gateway: FakeGateway) -> Payment:
    """A payment in review: the PSP charged another amount than was asked."""
    payment = store_payment(app)
    gateway.answer = Charged(payment.payment_id, OTHER, "ref", OTHER)
    assert take(app, payment) == "in_review"
    return stored(app, payment)


def completed(app: App) -> Payment:
    payment = store_payment(app)
    assert take(app, payment) == "completed"
    return stored(app, payment)


def taken_back(app: App, gateway: FakeGateway, payment: Payment, code: str = "x") -> str:
    """The PSP says that a completed payment was declined."""
    (key,) = gateway.charges
    gateway.charges[key] = Declined(payment.payment_id, payment.amount, code, "No.")
    return take(app, payment, look=True)


def only(found: list[Review]) -> Review:
    (review,) = found
    return review


def test_a_review_is_listed_with_what_the_psp_said_until_it_is_decided(
    app: App, gateway: FakeGateway
) -> None:
    payment = charged_twice_over(app, gateway)

    review = only(list_reviews(app, 10))
    resolve_payment(app, payment.payment_id, Status.FAILED, "ana", "case 4711")

    assert (review.payment_id, review.merchant_id) == (payment.payment_id, "demo")
    assert (review.why, review.cause, review.told) == ("in_review", "amount_mismatch", SAID)
    assert (review.since, review.amount, review.gateway) == (NOON, payment.amount, "simulator")
    assert payment.due_at is None, "it waits for a person, and the sweeper leaves it alone"
    assert list_reviews(app, 10) == []
    assert count_reviews(app) == {"in_review": 0, "attention": 0}


def test_fc_34_one_wrong_amount_is_one_alarm_however_often_the_psp_repeats_it(
    app: App, gateway: FakeGateway
) -> None:
    payment = charged_twice_over(app, gateway)

    assert take(app, payment, look=True) == "in_review: still contradicted"

    assert (counted("PaymentInReview"), counted("GatewayContradicted")) == (1, 0)


def test_a_contradiction_is_listed_and_told_of_once_until_the_psp_says_something_else(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = completed(app)
    clock.advance(60)

    taken_back(app, gateway, payment)
    clock.advance(60)
    taken_back(app, gateway, payment)
    review = only(list_reviews(app, 10))
    told_once = counted("GatewayContradicted")
    (key,) = gateway.charges
    gateway.charges[key] = Charged(payment.payment_id, OTHER, "ref", OTHER)
    take(app, payment, look=True)

    assert (review.why, review.cause) == ("contradiction", "outcome_changed")
    assert review.told == "completed, and the PSP says declined"
    assert review.since == NOON + timedelta(seconds=60)
    assert count_reviews(app) == {"in_review": 0, "attention": 1}
    assert (told_once, counted("GatewayContradicted")) == (1, 2)
    assert only(list_reviews(app, 10)).cause == "amount_mismatch"


def test_what_was_acknowledged_is_off_the_list_and_its_repeat_is_no_news(
    app: App, gateway: FakeGateway
) -> None:
    payment = completed(app)
    taken_back(app, gateway, payment)

    after = acknowledge_payment(app, payment.payment_id, "ana", " the PSP was wrong ")
    taken_back(app, gateway, payment)

    (done,) = stored(app, payment).acknowledged
    assert after == stored(app, payment)
    assert (done.who, done.why, done.at) == ("ana", "the PSP was wrong", NOON)
    assert done.what == "contradiction: outcome_changed: completed, and the PSP says declined"
    assert stored(app, payment).attention is None
    assert list_reviews(app, 10) == []
    assert counted("GatewayContradicted") == 1


def test_a_voucher_that_is_contradicted_is_listed_and_still_looked_at_when_it_is_due(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app, method=Method.OXXO)
    take(app, payment)
    (key,) = gateway.charges
    voucher = gateway.charges[key]
    gateway.charges[key] = replace(voucher, amount=OTHER)
    take(app, payment, look=True)
    waiting = stored(app, payment)

    assert waiting.due_at is not None
    review = only(list_reviews(app, 10))
    clock.now = waiting.due_at
    swept = sweep_due(app, QueueRoom(), Deadline(60))
    again = sweep_due(app, QueueRoom(), Deadline(60))

    assert (review.why, waiting.status) == ("contradiction", Status.AWAITING_PAYMENT)
    assert (swept.sent, again.sent) == (1, 0)
    assert only(list_reviews(app, 10)).payment_id == payment.payment_id
    acknowledge_payment(app, payment.payment_id, "ana", "a test")
    assert list_reviews(app, 10) == []
    assert stored(app, payment).due_at == clock.now + timedelta(minutes=5)


def test_money_that_came_late_or_over_is_listed(app: App, gateway: FakeGateway) -> None:
    payment = store_payment(app, method=Method.OXXO)
    take(app, payment)
    gateway.pay(payment.payment_id, payment.amount.minor + 1)
    take(app, payment)

    assert only(list_reviews(app, 10, "overpaid")).payment_id == payment.payment_id
    assert list_reviews(app, 10, "late_payment") == []


def test_an_acknowledged_short_payment_is_not_raised_again_by_the_next_look(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app, method=Method.OXXO)
    take(app, payment)
    gateway.pay(payment.payment_id, 100)
    clock.advance(5 * 86_400)
    assert take(app, payment) == "expired"

    assert only(list_reviews(app, 10)).why == Attention.UNDERPAID
    acknowledge_payment(app, payment.payment_id, "ana", "the shop knows")
    take(app, payment, look=True)

    assert list_reviews(app, 10) == []


def test_a_dead_letter_is_left_to_its_queue(app: App) -> None:
    dead = store_payment(app, attention=Attention.DEAD_LETTER)

    assert list_reviews(app, 10) == []
    with pytest.raises(InvalidStateError, match="nothing about it waits"):
        acknowledge_payment(app, dead.payment_id, "ana", "x")


def test_a_refund_in_review_is_listed_with_what_the_psp_said_until_it_is_decided(
    app: App, gateway: FakeGateway
) -> None:
    payment = completed(app)
    refund_late_payment(app, payment)
    (refund,) = app.refunds.of_payment(payment.payment_id)
    subject = refund.payment_id, refund.refund_id
    gateway.refund_answer = Refunded(refund.refund_id, Money(10_049, "MXN"), "ref")
    process_refund(app, RefundStep(*subject), 1)
    process_refund(app, RefundStep(*subject, look=True), 1)

    review = only(list_reviews(app, 10))
    resolve_refund(app, *subject, RefundStatus.COMPLETED, "ana", "case 4711")

    assert (review.payment_id, review.refund_id) == subject
    assert (review.why, review.cause) == ("in_review", "amount_mismatch")
    assert review.told == "asked for 100.50 MXN, the PSP says 100.49 MXN"
    assert (counted("RefundInReview"), counted("GatewayContradicted")) == (1, 0)
    assert list_reviews(app, 10) == []


def test_a_refund_that_the_psp_takes_back_is_listed_told_of_once_and_acknowledged(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = completed(app)
    refund_late_payment(app, payment)
    (refund,) = app.refunds.of_payment(payment.payment_id)
    subject = refund.payment_id, refund.refund_id
    process_refund(app, RefundStep(*subject), 1)
    (key,) = gateway.refunds
    gateway.refunds[key] = RefundDeclined(refund.refund_id, refund.amount, "too_late", "No.")
    clock.advance(60)

    process_refund(app, RefundStep(*subject, look=True), 1)
    process_refund(app, RefundStep(*subject, look=True), 1)
    review = only(list_reviews(app, 10, "contradiction"))
    after = acknowledge_refund(app, *subject, "ana", "the PSP was wrong")
    process_refund(app, RefundStep(*subject, look=True), 1)

    assert (review.refund_id, review.cause) == (refund.refund_id, "outcome_changed")
    assert review.since == NOON + timedelta(seconds=60)
    assert after == app.refunds.get(*subject)
    assert [(done.who, done.why) for done in after.acknowledged] == [("ana", "the PSP was wrong")]
    assert counted("GatewayContradicted") == 1
    assert list_reviews(app, 10) == []
    with pytest.raises(InvalidStateError):
        acknowledge_refund(app, *subject, "ana", "x")
    with pytest.raises(NotFoundError):
        acknowledge_refund(app, payment.payment_id, "re_x", "ana", "x")


def test_a_payment_in_review_is_decided_and_not_acknowledged(
    app: App, gateway: FakeGateway
) -> None:
    payment = charged_twice_over(app, gateway)

    with pytest.raises(InvalidStateError, match="decided, not acknowledged"):
        acknowledge_payment(app, payment.payment_id, "ana", "x")
    with pytest.raises(NotFoundError):
        acknowledge_payment(app, "pay_x", "ana", "x")
    for reason in ("", " ", "x" * 501):
        with pytest.raises(InvalidRequestError):
            acknowledge_payment(app, payment.payment_id, "ana", reason)


def test_what_came_up_while_an_operator_was_reading_is_not_acknowledged_unseen(
    app: App, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = completed(app)
    taken_back(app, gateway, payment)
    read = app.payments.get

    def read_then_lose(payment_id: str) -> Payment | None:
        found = read(payment_id)
        monkeypatch.setattr(app.payments, "get", read)
        (key,) = gateway.charges
        gateway.charges[key] = Charged(payment_id, OTHER, "ref", OTHER)
        take(app, payment, look=True)
        return found

    monkeypatch.setattr(app.payments, "get", read_then_lose)
    with pytest.raises(InvalidStateError, match="same moment"):
        acknowledge_payment(app, payment.payment_id, "ana", "x")

    assert only(list_reviews(app, 10)).cause == "amount_mismatch"
