"""Money that comes for a canceled payment: all of it goes back, each sum once."""

from __future__ import annotations

from typing import Any

import pytest

from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Attention, Method, Payment, Status
from riel.gateways.base import RefundDeclined
from riel.services.allowed_actions import allowed_actions
from riel.services.authenticate import authenticate
from riel.services.create_refund import (
    LATE_REASON,
    RefundOrder,
    create_refund,
    refund_late_payment,
)
from riel.services.process_payment import Step, process_payment
from riel.services.process_refund import RefundStep, process_refund
from tests.builders import API_KEY, FakeGateway, store_payment
from tests.integration.test_settle_vouchers import cancel, look, outbox, stored
from tests.payments import advance, store_awaiting, store_completed


@pytest.fixture
def voucher(app: App) -> Payment:
    """A payment that waits for its payer in a shop."""
    payment = store_payment(app, method=Method.OXXO)
    assert process_payment(app, Step(payment.payment_id), receives=1) == "awaiting_payment"
    return stored(app, payment)


def went_back(app: App, payment: Payment) -> list[int]:
    return sorted(refund.amount.minor for refund in app.refunds.of_payment(payment.payment_id))


def test_fc_41_money_that_crossed_the_cancel_completes_the_payment_and_goes_back_once(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment
) -> None:
    cancel(app, voucher)
    gateway.pay(voucher.payment_id, voucher.amount.minor)

    first = process_payment(app, Step(voucher.payment_id), receives=1)
    again = [process_payment(app, Step(voucher.payment_id), receives=1) for _ in range(2)]

    after = stored(app, voucher)
    assert (first, again) == ("completed", ["nothing to do: completed"] * 2)
    assert after.attention == "late_payment"
    assert (after.refund_count, after.reserved_minor) == (1, voucher.amount.minor)
    assert outbox(aws, "refund.created") == 1


def test_fc_41_killed_between_the_late_payment_and_its_refund_the_next_message_refunds(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    cancel(app, voucher)
    gateway.pay(voucher.payment_id, voucher.amount.minor)
    with monkeypatch.context() as patch:
        patch.setattr(app.refunds, "create", die)
        with pytest.raises(Killed):
            process_payment(app, Step(voucher.payment_id), receives=1)

    process_payment(app, Step(voucher.payment_id), receives=2)

    assert outbox(aws, "refund.created") == 1


def test_fc_41_money_short_of_the_amount_at_a_canceled_voucher_is_told_and_goes_back(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, 700)
    look(app, voucher)
    cancel(app, stored(app, voucher))

    for _ in range(3):
        process_payment(app, Step(voucher.payment_id), receives=1)

    after = stored(app, voucher)
    assert (after.status, after.received_minor) == ("canceled", 700)
    assert after.attention == "underpaid"
    assert went_back(app, voucher) == [700]
    assert outbox(aws, "refund.created") == 1


def test_fc_41_each_sum_that_comes_after_the_cancel_goes_back_once(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    """Paid in three parts, the last of which completes the payment by its late edge."""
    cancel(app, voucher)
    parts = [700, 300, voucher.amount.minor]

    for minor in parts:
        gateway.pay(voucher.payment_id, minor)
        for _ in range(2):
            look(app, voucher)

    after = stored(app, voucher)
    assert (after.status, after.attention) == ("completed", "late_payment")
    assert went_back(app, voucher) == sorted(parts)
    assert after.reserved_minor == after.received_minor == sum(parts)


def test_fc_41_what_the_merchant_has_refunded_does_not_go_back_again(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, 700)
    look(app, voucher)
    cancel(app, stored(app, voucher))
    order = RefundOrder("2.00", sent=frozenset({"amount"}))
    caller = authenticate(app, API_KEY)
    create_refund(app, caller, "r", voucher.payment_id, order, "req")

    look(app, voucher)

    assert went_back(app, voucher) == [200, 500]


def test_a_refund_of_late_money_that_the_psp_refuses_is_left_to_the_merchant(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, 700)
    look(app, voucher)
    cancel(app, stored(app, voucher))
    look(app, voucher)
    (refund,) = app.refunds.of_payment(voucher.payment_id)
    gateway.refund_answer = RefundDeclined(refund.refund_id, refund.amount, "no", "No.")
    step = RefundStep(voucher.payment_id, refund.refund_id)
    assert process_refund(app, step, receives=1) == "failed"

    look(app, voucher)

    assert went_back(app, voucher) == [700], "the refused one, and no other"
    assert allowed_actions(stored(app, voucher)) == ("refund",)


def test_killed_between_the_note_of_money_and_its_refund_the_next_step_refunds(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    cancel(app, voucher)
    gateway.pay(voucher.payment_id, 700)
    with monkeypatch.context() as patch:
        patch.setattr(app.refunds, "create", die)
        with pytest.raises(Killed):
            look(app, voucher)
    assert stored(app, voucher).received_minor == 700
    assert went_back(app, voucher) == []

    look(app, voucher)

    assert went_back(app, voucher) == [700]
    assert outbox(aws, "refund.created") == 1


def test_late_money_goes_back_once(app: App, aws: Any) -> None:
    canceled = advance(app, store_awaiting(app), Status.CANCELED)
    attention = Attention.LATE_PAYMENT
    paid = advance(app, canceled, Status.COMPLETED, received_minor=10_050, attention=attention)

    refund_late_payment(app, paid)
    refund_late_payment(app, paid)
    refund_late_payment(app, stored(app, paid))

    (found,) = app.refunds.of_payment(paid.payment_id)
    assert (found.amount, found.reason) == (Money(10_050, "MXN"), LATE_REASON)
    assert found.history[0].cause == "late_payment"
    assert stored(app, paid).attention == "late_payment"
    types = [item["type"]["S"] for item in aws.scan(TableName="outbox")["Items"]]
    assert types.count("refund.created") == 1


def test_no_key_of_a_merchant_leads_to_the_refund_of_late_money(app: App) -> None:
    payment = store_completed(app)
    order = RefundOrder("0.50", sent=frozenset({"amount"}))
    caller = authenticate(app, API_KEY)
    for key in ("late-payment", str(payment.received_minor)):
        create_refund(app, caller, key, payment.payment_id, order, "req")

    refund_late_payment(app, stored(app, payment))

    assert went_back(app, payment) == [50, 50, 9_950]


def test_late_money_that_can_not_go_back_stays_with_its_attention(app: App) -> None:
    paid = store_completed(app, gateway="one-way")

    refund_late_payment(app, paid)

    assert app.refunds.of_payment(paid.payment_id) == []
