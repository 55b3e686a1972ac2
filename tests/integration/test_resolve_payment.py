"""The way out of a review by an operator's decision."""

from __future__ import annotations

import json
from typing import Any

import pytest

from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Method, Payment, Status
from riel.domain.refund import refundable_minor
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.gateways.base import Charged, Voided
from riel.services.process_payment import Step, process_payment
from riel.services.read_payment import payment_view
from riel.services.resolve_payment import resolve_payment
from tests.builders import FakeGateway, store_payment
from tests.payments import advance


@pytest.fixture
def in_review(app: App, gateway: FakeGateway) -> Payment:
    """A payment whose PSP has charged another amount than was asked."""
    payment = store_payment(app)
    one = Money(1, "MXN")
    gateway.answer = Charged(payment.payment_id, one, "ref", one)
    process_payment(app, Step(payment.payment_id), receives=1)
    found = app.payments.get(payment.payment_id)
    assert found is not None
    assert found.status == Status.IN_REVIEW
    return found


@pytest.fixture
def in_doubt(app: App) -> Payment:
    """A payment whose PSP never told what became of it."""
    return advance(app, advance(app, store_payment(app), Status.PROCESSING), Status.IN_REVIEW)


@pytest.mark.parametrize(
    ("decision", "received", "failure"),
    [(Status.COMPLETED, "100.50", None), (Status.FAILED, "0.00", "review_failed")],
)
def test_a_decision_is_recorded_with_who_and_why_and_the_merchant_is_told(
    app: App, aws: Any, in_review: Payment, decision: Status, received: str, failure: str | None
) -> None:
    told = received if decision is Status.COMPLETED else None
    resolve_payment(app, in_review.payment_id, decision, "ana", " PSP case 4711 ", told)

    payment = app.payments.get(in_review.payment_id)
    assert payment is not None
    assert payment.history[-1].note == "ana: PSP case 4711"
    view = payment_view(payment)
    assert (view["status"], view["received_amount"]) == (decision, received)
    assert (view["failure"] or {}).get("code") == failure
    assert "4711" not in json.dumps(view), "the reason is the operator's alone"
    (event,) = [
        item
        for item in aws.scan(TableName="outbox")["Items"]
        if item["type"]["S"] == f"payment.{decision}"
    ]
    body = json.loads(event["body"]["S"])
    assert body["data"]["sequence"] == 4
    assert "4711" not in event["body"]["S"]


def test_a_voucher_that_was_closed_short_is_completed_with_what_came(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app, method=Method.OXXO)
    gateway.answer = Voided(payment.payment_id, payment.amount, "ref", Money(4_000, "MXN"))
    assert process_payment(app, Step(payment.payment_id), receives=1) == "in_review"

    after = resolve_payment(app, payment.payment_id, Status.COMPLETED, "ana", "x")

    assert refundable_minor(after) == 4_000
    assert after.attention == "underpaid"


@pytest.mark.parametrize(
    ("received", "minor", "attention"),
    [(None, 10_050, None), ("100.5", 10_050, None), ("40", 4_000, "underpaid"),
     ("100.51", 10_051, "overpaid")],
)  # fmt: skip
def test_after_doubt_the_amount_came_unless_another_is_told_and_the_merchant_sees_the_difference(
    app: App, aws: Any, in_doubt: Payment, received: str | None, minor: int, attention: str | None
) -> None:
    resolve_payment(app, in_doubt.payment_id, Status.COMPLETED, "ana", "x", received)

    after = app.payments.get(in_doubt.payment_id)
    assert after is not None
    assert (after.received_minor, after.attention) == (minor, attention)
    items = aws.scan(TableName="outbox")["Items"]
    (event,) = [item for item in items if item["type"]["S"] == "payment.completed"]
    data = json.loads(event["body"]["S"])["data"]
    assert data["received_amount"] == str(Money(minor, "MXN"))
    assert data["attention"] == attention


@pytest.mark.parametrize("received", ["0", "-1", "1.005", "x", ""])
def test_what_came_has_to_be_an_amount(app: App, in_doubt: Payment, received: str) -> None:
    with pytest.raises(InvalidRequestError, match="received: "):
        resolve_payment(app, in_doubt.payment_id, Status.COMPLETED, "ana", "x", received)

    assert app.payments.get(in_doubt.payment_id) == in_doubt


def test_of_a_payment_that_failed_nothing_came(app: App, in_doubt: Payment) -> None:
    with pytest.raises(InvalidRequestError, match="completed has received"):
        resolve_payment(app, in_doubt.payment_id, Status.FAILED, "ana", "x", "100.50")


def test_only_a_payment_in_review_can_be_decided(app: App, gateway: FakeGateway) -> None:
    payment = store_payment(app)
    with pytest.raises(InvalidStateError, match="pending"):
        resolve_payment(app, payment.payment_id, Status.COMPLETED, "ana", "x")

    process_payment(app, Step(payment.payment_id), receives=1)
    with pytest.raises(InvalidStateError, match="completed"):
        resolve_payment(app, payment.payment_id, Status.FAILED, "ana", "x")
    assert len(gateway.charges) == 1


def test_of_two_operators_one_decides(app: App, in_review: Payment) -> None:
    resolve_payment(app, in_review.payment_id, Status.COMPLETED, "ana", "paid", "0.01")

    with pytest.raises(InvalidStateError):
        resolve_payment(app, in_review.payment_id, Status.FAILED, "bob", "not paid")

    payment = app.payments.get(in_review.payment_id)
    assert payment is not None
    assert payment.status == Status.COMPLETED


def test_a_decision_on_an_old_look_changes_nothing(
    app: App, in_review: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob has read the payment before Ana's decision was written."""
    read = app.payments.get

    def read_then_lose(payment_id: str) -> Payment | None:
        found = read(payment_id)
        monkeypatch.setattr(app.payments, "get", read)
        resolve_payment(app, payment_id, Status.COMPLETED, "ana", "paid", "0.01")
        return found

    monkeypatch.setattr(app.payments, "get", read_then_lose)
    with pytest.raises(InvalidStateError, match="same moment"):
        resolve_payment(app, in_review.payment_id, Status.FAILED, "bob", "not paid")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_decision_needs_a_reason(app: App, in_review: Payment, reason: str) -> None:
    with pytest.raises(InvalidRequestError):
        resolve_payment(app, in_review.payment_id, Status.FAILED, "ana", reason)


def test_an_unknown_payment_is_not_found(app: App) -> None:
    with pytest.raises(NotFoundError):
        resolve_payment(app, "pay_" + "a" * 26, Status.FAILED, "ana", "x")
