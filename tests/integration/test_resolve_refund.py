"""The way of a refund out of review by an operator's decision."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.refund import Refund, RefundApplied, RefundChange, RefundStatus, apply_refund
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.create_refund import refund_late_payment
from riel.services.read_refunds import refund_view
from riel.services.resolve_refund import resolve_refund
from tests.payments import store_completed


def pending(app: App) -> Refund:
    payment = store_completed(app)
    refund_late_payment(app, payment)
    (refund,) = app.refunds.of_payment(payment.payment_id)
    return refund


@pytest.fixture
def in_review(app: App) -> Refund:
    """A refund of all that there is, whose PSP contradicts us."""
    refund = pending(app)
    app.refunds.claim(refund.payment_id, refund.refund_id, app.clock(), timedelta(seconds=20))
    claimed = app.refunds.get(refund.payment_id, refund.refund_id)
    payment = app.payments.get(refund.payment_id)
    assert claimed is not None
    assert payment is not None
    change = RefundChange(RefundStatus.IN_REVIEW, app.clock(), "amount_mismatch")
    applied = apply_refund(claimed, payment, change)
    assert isinstance(applied, RefundApplied)
    app.refunds.record(claimed, applied.refund, None)
    return applied.refund


@pytest.mark.parametrize(
    ("decision", "refunded", "reserved", "failure"),
    [
        (RefundStatus.COMPLETED, 10_050, 10_050, None),
        (RefundStatus.FAILED, 0, 0, "review_failed"),
    ],
)
def test_a_decision_is_recorded_counted_and_the_merchant_is_told(
    app: App,
    aws: Any,
    in_review: Refund,
    decision: RefundStatus,
    refunded: int,
    reserved: int,
    failure: str | None,
) -> None:
    subject = in_review.payment_id, in_review.refund_id
    resolve_refund(app, *subject, decision, "ana", " PSP case 4711 ")

    refund, payment = app.refunds.get(*subject), app.payments.get(in_review.payment_id)
    assert refund is not None
    assert payment is not None
    assert refund.history[-1].note == "ana: PSP case 4711"
    assert (payment.refunded_minor, payment.reserved_minor) == (refunded, reserved)
    view = refund_view(refund)
    assert (view["status"], (view["failure"] or {}).get("code")) == (decision, failure)
    assert "4711" not in json.dumps(view), "the reason is the operator's alone"
    events = aws.scan(TableName="outbox")["Items"]
    (event,) = [item for item in events if item["type"]["S"] == f"refund.{decision}"]
    assert json.loads(event["body"]["S"])["data"]["sequence"] == 4
    assert "4711" not in event["body"]["S"]


def test_only_a_refund_in_review_can_be_decided(app: App) -> None:
    refund = pending(app)

    with pytest.raises(InvalidStateError, match="pending"):
        resolve_refund(app, refund.payment_id, refund.refund_id, RefundStatus.COMPLETED, "ana", "x")


def test_of_two_operators_one_decides(
    app: App, in_review: Refund, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob has read the refund before Ana's decision was written."""
    subject = in_review.payment_id, in_review.refund_id
    look = app.refunds.get

    def look_then_lose(payment_id: str, refund_id: str) -> Refund | None:
        found = look(payment_id, refund_id)
        monkeypatch.setattr(app.refunds, "get", look)
        resolve_refund(app, *subject, RefundStatus.COMPLETED, "ana", "it went back")
        return found

    monkeypatch.setattr(app.refunds, "get", look_then_lose)
    with pytest.raises(InvalidStateError, match="same moment"):
        resolve_refund(app, *subject, RefundStatus.FAILED, "bob", "it did not")
    with pytest.raises(InvalidStateError, match="completed, not in review"):
        resolve_refund(app, *subject, RefundStatus.FAILED, "bob", "it did not")

    payment = app.payments.get(in_review.payment_id)
    assert payment is not None
    assert (payment.refunded_minor, payment.reserved_minor) == (10_050, 10_050)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_decision_needs_a_reason(app: App, in_review: Refund, reason: str) -> None:
    subject = in_review.payment_id, in_review.refund_id
    with pytest.raises(InvalidRequestError):
        resolve_refund(app, *subject, RefundStatus.FAILED, "ana", reason)


def test_an_unknown_refund_is_not_found(app: App, in_review: Refund) -> None:
    for subject in (("pay_x", in_review.refund_id), (in_review.payment_id, "re_x")):
        with pytest.raises(NotFoundError):
            resolve_refund(app, *subject, RefundStatus.FAILED, "ana", "x")
