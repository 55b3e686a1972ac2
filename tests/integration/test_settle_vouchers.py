"""Vouchers and transfers: paid, paid short, paid twice, paid too late, never paid, canceled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.events import payment_moved
from riel.domain.money import Money
from riel.domain.payment import Applied, Change, Method, NextAction, Payment, Status, apply
from riel.errors import GatewayUnavailableError, UnmappedAnswerError
from riel.gateways.base import Awaiting, Charged, NotFound, Outcome
from riel.services.process_payment import Step, process_payment
from tests.builders import (
    NOON,
    FakeClock,
    FakeGateway,
    make_app,
    seed_demo,
    store_payment,
)
from tests.timeline import Timeline

GRACE_SECONDS = 2


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> Timeline:
    return Timeline(app, clock)


@pytest.fixture
def voucher(app: App) -> Payment:
    """A payment that waits for its payer in a shop."""
    payment = store_payment(app, method=Method.OXXO)
    assert process_payment(app, Step(payment.payment_id), receives=1) == "awaiting_payment"
    return stored(app, payment)


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def look(app: App, payment: Payment) -> str:
    return process_payment(app, Step(payment.payment_id, look=True), receives=1)


def cancel(app: App, payment: Payment) -> None:
    """Cancel as the API does: at once, and the PSP hears of it by the outbox event."""
    due_at = NOON + timedelta(minutes=1)
    applied = apply(payment, Change(Status.CANCELED, NOON, "canceled_by_merchant", due_at=due_at))
    assert isinstance(applied, Applied)
    event_id = ids.event_id(payment.payment_id, applied.payment.sequence)
    event = payment_moved(event_id, applied.payment)
    assert app.payments.move(payment, applied.payment, event)


def outbox(aws: Any, kind: str) -> int:
    items = aws.scan(TableName="outbox")["Items"]
    return sum(item["type"]["S"] == kind for item in items)


def test_a_voucher_is_asked_for_with_the_payments_own_end_and_waits_in_the_index(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    (request,) = gateway.sent
    # Noon in UTC is morning in Mexico; the third day after it ends six hours after UTC's.
    end = datetime(2026, 4, 21, 5, 59, 59, tzinfo=UTC)

    assert (request.method, request.expires_at) == (Method.OXXO, end)
    assert voucher.next_action is not None
    assert voucher.next_action.reference == "12345678901234"
    assert voucher.due_at == end + timedelta(seconds=GRACE_SECONDS)
    assert voucher.gateway_reference == "ref-" + request.key


def test_a_transfer_may_be_made_for_a_day_and_where_events_go_is_told(
    aws: Any, clock: FakeClock, gateway: FakeGateway
) -> None:
    app = make_app(gateway, clock, events_base_url="https://pay.example")
    seed_demo(app)
    payment = store_payment(app, method=Method.SPEI)

    process_payment(app, Step(payment.payment_id), receives=1)

    (request,) = gateway.sent
    assert request.expires_at == NOON + timedelta(hours=24)
    assert request.events_url == "https://pay.example/api/v1/gateways/simulator/webhooks"


def test_a_paid_voucher_completes(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, voucher.amount.minor)

    assert look(app, voucher) == "completed"

    after = stored(app, voucher)
    assert after.received_minor == voucher.amount.minor
    assert (after.attention, after.due_at) == (None, None)
    assert outbox(aws, "payment.completed") == 1


def test_fc_56_paid_short_it_waits_and_says_how_much_came(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, 4_000)
    assert look(app, voucher) == "noted"
    short = stored(app, voucher)

    gateway.pay(voucher.payment_id, voucher.amount.minor - 4_000)
    assert look(app, voucher) == "completed"

    assert (short.status, short.received_minor) == ("awaiting_payment", 4_000)
    assert short.due_at == voucher.due_at
    assert stored(app, voucher).attention is None


def test_fc_56_paid_over_and_paid_twice_it_is_completed_once_and_the_surplus_is_told(
    app: App, aws: Any, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, voucher.amount.minor + 1)
    assert look(app, voucher) == "completed"
    over = stored(app, voucher)
    gateway.pay(voucher.payment_id, voucher.amount.minor)
    assert look(app, voucher) == "noted"
    assert look(app, voucher) == "completed: nothing new"

    twice = stored(app, voucher)
    assert (over.received_minor, over.attention) == (voucher.amount.minor + 1, "overpaid")
    assert twice.received_minor == 2 * voucher.amount.minor + 1
    assert twice.attention == "overpaid"
    assert twice.sequence == over.sequence
    assert outbox(aws, "payment.completed") == 1


def test_fc_40_a_voucher_that_nobody_paid_expires_when_its_grace_is_over(
    app: App, aws: Any, clock: FakeClock, voucher: Payment
) -> None:
    assert voucher.due_at is not None
    clock.now = voucher.due_at - timedelta(milliseconds=1)
    before = look(app, voucher)
    clock.now = voucher.due_at

    assert look(app, voucher) == "expired"

    assert before == "awaiting_payment: nothing new"
    assert stored(app, voucher).due_at is None
    assert outbox(aws, "payment.expired") == 1


def test_fc_40_the_sweepers_moving_of_the_due_time_does_not_move_the_expiry(
    app: App, clock: FakeClock, voucher: Payment
) -> None:
    assert voucher.due_at is not None
    moved = replace(voucher, due_at=voucher.due_at + timedelta(minutes=5))
    assert app.payments.note(voucher, moved)
    clock.now = voucher.due_at

    assert look(app, voucher) == "expired"


def test_fc_40_paid_short_it_expires_all_the_same_and_asks_for_attention(
    app: App, clock: FakeClock, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, 700)
    clock.advance(10 * 86_400)

    assert look(app, voucher) == "expired"

    after = stored(app, voucher)
    assert (after.received_minor, after.attention) == (700, "underpaid")


def test_fc_57_paid_after_our_expiry_it_completes_by_its_named_edge_and_asks_for_attention(
    app: App, aws: Any, clock: FakeClock, gateway: FakeGateway, voucher: Payment
) -> None:
    clock.advance(10 * 86_400)
    look(app, voucher)
    gateway.pay(voucher.payment_id, voucher.amount.minor)

    assert look(app, voucher) == "completed"

    after = stored(app, voucher)
    assert [line.status for line in after.history[-2:]] == ["expired", "completed"]
    assert after.attention == "late_payment"
    assert outbox(aws, "payment.completed") == 1
    assert outbox(aws, "refund.created") == 0, "the merchant decides"


def test_fc_41_a_canceled_voucher_is_voided_at_the_psp(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    cancel(app, voucher)

    first = process_payment(app, Step(voucher.payment_id), receives=1)
    again = process_payment(app, Step(voucher.payment_id), receives=1)

    assert (first, again) == ("noted", "canceled: nothing new")
    assert len(gateway.voids) == 1
    assert stored(app, voucher).due_at is None, "the sweeper need not bring it back"


def test_a_voucher_that_ends_before_the_sweeper_comes_by_is_brought_back_by_a_copy(
    app: App, clock: FakeClock, gateway: FakeGateway, timeline: Timeline
) -> None:
    payment = store_payment(app, method=Method.OXXO)
    soon = NextAction("oxxo_voucher", NOON + timedelta(seconds=5), reference="12345678901234")
    nothing = Money(0, "MXN")
    gateway.answer = Awaiting(payment.payment_id, payment.amount, "ref", soon, nothing)

    timeline.run(Step(payment.payment_id), until=NOON + timedelta(seconds=30))

    assert stored(app, payment).status == "expired"


def test_a_contradiction_changes_no_status_and_is_told_until_the_psp_agrees_again(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    ((key, agreed),) = gateway.charges.items()
    gateway.charges[key] = Charged("pay_other", voucher.amount, "alien", voucher.amount)
    contradicted = look(app, voucher)
    told = stored(app, voucher)
    gateway.charges[key] = agreed
    look(app, voucher)

    assert contradicted == "contradicted: reference_mismatch"
    assert (told.status, told.attention) == ("awaiting_payment", "contradiction")
    assert stored(app, voucher).attention is None


def test_fc_51_a_completed_payment_is_not_downgraded_by_a_psp_that_changed_its_mind(
    app: App, gateway: FakeGateway, voucher: Payment
) -> None:
    gateway.pay(voucher.payment_id, voucher.amount.minor)
    look(app, voucher)
    (key,) = gateway.charges
    gateway.charges[key] = replace(gateway.charges[key], amount=Money(1, "MXN"))

    assert look(app, voucher).startswith("contradicted")
    after = stored(app, voucher)
    assert (after.status, after.attention) == ("completed", "contradiction")


class Down(FakeGateway):
    """A PSP whose look-ups fail as told."""

    failure: Exception | None = None

    def look_up(self, key: str) -> Outcome | NotFound:
        if self.failure is not None:
            raise self.failure
        return super().look_up(key)


def test_while_the_psp_is_down_a_voucher_waits_in_the_index_without_copies(
    app: App, clock: FakeClock, timeline: Timeline
) -> None:
    gateway = Down()
    app.__dict__["gateways"] = {"simulator": gateway}
    payment = store_payment(app, method=Method.OXXO)
    timeline.run(Step(payment.payment_id))
    gateway.failure = GatewayUnavailableError("503")
    clock.advance(10 * 86_400)

    timeline.run(Step(payment.payment_id, look=True))

    waiting = stored(app, payment)
    assert waiting.status == Status.AWAITING_PAYMENT
    assert waiting.due_at is not None
    assert waiting.due_at > clock()
    assert len(timeline.sent) == 2, "the two messages of the test, and no copy"
    gateway.failure = None
    assert look(app, payment) == "expired"


def test_fc_44_a_voucher_whose_answers_nobody_understands_waits_for_an_operator(
    app: App, timeline: Timeline
) -> None:
    gateway = Down()
    app.__dict__["gateways"] = {"simulator": gateway}
    payment = store_payment(app, method=Method.OXXO)
    timeline.run(Step(payment.payment_id))
    gateway.failure = UnmappedAnswerError("perhaps")

    timeline.run(Step(payment.payment_id, look=True))

    ill = stored(app, payment)
    assert (ill.status, ill.attention, ill.due_at) == ("awaiting_payment", "dead_letter", None)
    assert len(timeline.dead) == 1
    gateway.failure = None
    look(app, payment)
    healed = stored(app, payment)
    assert healed.attention is None
    assert healed.due_at is not None
