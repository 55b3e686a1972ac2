"""Events of a gateway that a payment fell back from: its own proof that it charged all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Attention, Payment, Status
from riel.errors import GatewayUnavailableError
from riel.gateways.base import Charged, Declined, NotFound
from riel.services.process_payment import process_payment
from riel.services.resolve_payment import resolve_payment
from riel.services.steps import Step
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.integration.inbox import counted, event, payment, process, receive

HOUR = 3600


@pytest.fixture
def moved(listening: App, gateway: FakeGateway, clock: FakeClock) -> Payment:
    """A payment that fell back to `standby`, where its step is still to come."""
    listening.__dict__["gateways"] = {"simulator": gateway, "standby": FakeGateway("standby")}
    stored = store_payment(listening)
    gateway.before = [GatewayUnavailableError("503")]
    waits = listening.config.fallback_after_waits
    process_payment(listening, Step(stored.payment_id, waits=waits), 1)
    after = payment(listening, stored.payment_id)
    assert (after.gateway, after.left_gateways) == ("standby", ("simulator",))
    return after


def charge_at(gateway: FakeGateway, charged: Payment, number: int = 1) -> None:
    """The PSP took the money, whatever it answered."""
    key = ids.gateway_key(charged.payment_id, gateway.name, number)
    gateway.charges[key] = Charged(charged.payment_id, charged.amount, "ref-1", charged.amount)


def test_the_first_gateways_proof_of_its_own_charge_is_told_of_after_a_fallback(
    listening: App, gateway: FakeGateway, moved: Payment
) -> None:
    process_payment(listening, Step(moved.payment_id), 1)
    charge_at(gateway, moved)
    inbox_id = receive(listening, moved.payment_id)

    process(listening, inbox_id)

    after = payment(listening, moved.payment_id)
    assert (after.status, after.gateway) == (Status.COMPLETED, "standby")
    assert after.attention == Attention.CONTRADICTION
    assert "simulator" in (after.attention_reason or "")
    assert event(listening, inbox_id).state == "processed"
    assert counted("GatewayContradicted") == 1
    assert counted("GatewayEventForeign") == 0

    process(listening, receive(listening, moved.payment_id, "evt_2"))
    assert counted("GatewayContradicted") == 1, "nobody is called twice for it"


def test_the_first_gateways_proof_outlives_the_step_that_is_under_way_at_the_second(
    listening: App, gateway: FakeGateway, clock: FakeClock, moved: Payment
) -> None:
    charge_at(gateway, moved)
    inbox_id = receive(listening, moved.payment_id)
    process(listening, inbox_id)
    assert payment(listening, moved.payment_id).attention is None
    assert event(listening, inbox_id).state == "received"

    process_payment(listening, Step(moved.payment_id), 1)
    process(listening, inbox_id, waits=1)

    assert payment(listening, moved.payment_id).attention == Attention.CONTRADICTION
    assert event(listening, inbox_id).state == "processed"


def test_what_is_told_of_a_payment_in_review_is_told_again_when_that_is_decided(
    listening: App, gateway: FakeGateway, clock: FakeClock, moved: Payment
) -> None:
    standby = listening.gateways["standby"]
    assert isinstance(standby, FakeGateway)
    charge_at(standby, replace(moved, amount=replace(moved.amount, minor=1)))
    process_payment(listening, Step(moved.payment_id), 1)
    assert payment(listening, moved.payment_id).status == Status.IN_REVIEW
    charge_at(gateway, moved)
    inbox_id = receive(listening, moved.payment_id)

    clock.advance(2 * HOUR)
    process(listening, inbox_id)
    assert payment(listening, moved.payment_id).attention == Attention.CONTRADICTION
    assert event(listening, inbox_id).state == "received"

    resolve_payment(listening, moved.payment_id, Status.FAILED, "root", "case 1")
    process(listening, inbox_id)
    after = payment(listening, moved.payment_id)
    assert (after.status, after.attention) == (Status.FAILED, Attention.CONTRADICTION)
    assert event(listening, inbox_id).state == "processed"


def test_a_gateway_that_was_left_and_did_nothing_is_believed_when_its_turns_are_over(
    listening: App, clock: FakeClock, moved: Payment
) -> None:
    process_payment(listening, Step(moved.payment_id), 1)
    inbox_id = receive(listening, moved.payment_id, type="charge.rejected")

    assert process(listening, inbox_id) == "again in 5 s: charge.rejected: nothing there"
    clock.advance(HOUR)
    assert process(listening, inbox_id) == "charge.rejected: nothing there"

    assert event(listening, inbox_id).state == "processed"
    assert payment(listening, moved.payment_id).attention is None


def test_a_gateway_that_was_left_and_is_down_uses_up_no_receives(
    listening: App, gateway: FakeGateway, moved: Payment
) -> None:
    process_payment(listening, Step(moved.payment_id), 1)

    class DownGateway(FakeGateway):
        def look_up(self, key: str) -> NotFound:
            raise GatewayUnavailableError("503")

    listening.gateways["simulator"] = DownGateway()
    inbox_id = receive(listening, moved.payment_id)

    assert process(listening, inbox_id) == "again in 1 s: 503"
    assert event(listening, inbox_id).state == "received"


def test_a_charge_before_a_soft_decline_is_found_too(
    listening: App, gateway: FakeGateway, clock: FakeClock, moved: Payment
) -> None:
    """The payment's charge number has grown at the second gateway since."""
    standby = listening.gateways["standby"]
    assert isinstance(standby, FakeGateway)
    soft = Declined(moved.payment_id, moved.amount, "issuer_unavailable", "Later.", is_soft=True)
    standby.answer = soft
    process_payment(listening, Step(moved.payment_id), 1)
    standby.answer = None
    clock.advance(60)
    assert process_payment(listening, Step(moved.payment_id), 1) == "completed"
    assert payment(listening, moved.payment_id).charge_number == 2
    charge_at(gateway, moved, number=1)

    process(listening, receive(listening, moved.payment_id))

    assert payment(listening, moved.payment_id).attention == Attention.CONTRADICTION


def test_an_event_of_the_other_mode_is_foreign_even_from_a_gateway_that_was_left(
    listening: App, gateway: FakeGateway, moved: Payment
) -> None:
    process_payment(listening, Step(moved.payment_id), 1)
    charge_at(gateway, moved)

    inbox_id = receive(listening, moved.payment_id, livemode=True)
    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "foreign"
    assert payment(listening, moved.payment_id).attention is None
