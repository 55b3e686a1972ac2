"""What any gateway's adapter must do, run against the PSP's real server.

A PSP's tests subclass `GatewayConformance` and give a `psp` fixture: the adapter, and the levers
that bring the PSP into each situation. A lever that a PSP does not have is left out of `tokens`,
and its tests are skipped.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from riel.domain.clabe import is_clabe
from riel.domain.money import Money
from riel.domain.payment import Method
from riel.errors import GatewayUnavailableError, OutcomeUnknownError, UnmappedAnswerError
from riel.gateways.base import (
    Awaiting,
    Charged,
    ChargeRequest,
    Declined,
    Gateway,
    NotFound,
    RefundDeclined,
    Refunded,
    RefundRequest,
    Voided,
)
from tests.simulator_stage import until

AMOUNT = Money(10_050, "MXN")
REPEATS = 20


@dataclass(frozen=True)
class Psp:
    """A PSP under test. `impatient` is the same adapter with a short timeout."""

    gateway: Gateway
    impatient: Gateway
    tokens: dict[str, str]
    pay: Callable[[str, int, str], Any]
    """The payer of a payment pays minor units, under the deposit's id."""
    heal: Callable[[str], None]
    """From now on, the payment's charges and refunds succeed."""
    moved: Callable[[str], list[Any]]
    """Each time that money moved for a payment."""
    refunded: Callable[[str], list[Any]]
    """Each time that money went back for a payment."""

    def request(self, scenario: str = "charged", **fields: Any) -> ChargeRequest:
        """Ask for a charge of a new payment that will go as the scenario says."""
        if scenario not in self.tokens:
            pytest.skip(f"{self.gateway.name} can not be brought to {scenario}")
        name = uuid.uuid4().hex
        return ChargeRequest(
            f"chg_{name}", f"pay_{name}", AMOUNT, token=self.tokens[scenario], **fields
        )

    def voucher(self, method: Method, scenario: str = "charged") -> ChargeRequest:
        """Ask for a voucher that lasts three days."""
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
        return self.request(scenario, method=method, expires_at=expires_at)

    def charged(self, scenario: str = "charged") -> ChargeRequest:
        """Charge a new payment."""
        request = self.request(scenario)
        assert isinstance(self.gateway.charge(request), Charged)
        return request


def refund_of(charge: ChargeRequest, minor: int = AMOUNT.minor) -> RefundRequest:
    """Ask for a refund of a charge."""
    name = uuid.uuid4().hex
    return RefundRequest(
        key=f"rfd_{name}",
        refund_id=f"re_{name}",
        payment_id=charge.payment_id,
        charge_key=charge.key,
        charge_reference="",
        amount=Money(minor, charge.amount.currency),
    )


class GatewayConformance:
    """Charges, doubts, vouchers and refunds; `psp` is the subclass's fixture."""

    def test_a_charge_is_told_in_the_psps_own_words_and_found_again(self, psp: Psp) -> None:
        request = psp.request()

        outcome = psp.gateway.charge(request)

        assert isinstance(outcome, Charged)
        assert outcome.payment_id == request.payment_id
        assert outcome.amount == outcome.received == AMOUNT
        assert outcome.reference
        assert psp.gateway.look_up(request.key) == outcome
        assert len(psp.moved(request.payment_id)) == 1

    @pytest.mark.parametrize("scenario", ["hard_decline", "no_funds"])
    def test_a_hard_decline_is_for_good(self, psp: Psp, scenario: str) -> None:
        request = psp.request(scenario)

        outcome = psp.gateway.charge(request)

        assert isinstance(outcome, Declined)
        assert not outcome.is_soft
        assert outcome.code
        assert outcome.message
        assert psp.gateway.look_up(request.key) == outcome
        assert psp.moved(request.payment_id) == []

    def test_after_a_soft_decline_a_new_charge_may_succeed(self, psp: Psp) -> None:
        first = psp.request("soft_decline_once")

        outcome = psp.gateway.charge(first)
        repeated = psp.gateway.charge(first)
        second = psp.gateway.charge(replace(first, key=first.key + "-2"))

        assert isinstance(outcome, Declined)
        assert outcome.is_soft
        assert repeated == outcome
        assert isinstance(second, Charged)
        assert len(psp.moved(first.payment_id)) == 1

    def test_a_lasting_soft_decline_stays_soft(self, psp: Psp) -> None:
        first = psp.request("soft_decline")

        for number in range(3):
            outcome = psp.gateway.charge(replace(first, key=f"{first.key}-{number}"))
            assert isinstance(outcome, Declined)
            assert outcome.is_soft

    def test_what_is_unavailable_has_done_nothing(self, psp: Psp) -> None:
        request = psp.request("unavailable")

        with pytest.raises(GatewayUnavailableError):
            psp.gateway.charge(request)

        assert psp.gateway.look_up(request.key) == NotFound()
        assert psp.moved(request.payment_id) == []

    def test_a_lost_answer_is_found_by_a_look_up(self, psp: Psp) -> None:
        request = psp.request("lost_after")

        with pytest.raises(OutcomeUnknownError):
            psp.impatient.charge(request)

        found = until(lambda: psp.gateway.look_up(request.key), lambda found: found != NotFound())
        assert isinstance(found, Charged)
        assert psp.gateway.charge(request) == found, "the repeat is the same charge"
        assert len(psp.moved(request.payment_id)) == 1

    def test_a_request_that_was_lost_is_not_found(self, psp: Psp) -> None:
        request = psp.request("lost_before")

        with pytest.raises(OutcomeUnknownError):
            psp.impatient.charge(request)

        assert psp.gateway.look_up(request.key) == NotFound()
        assert psp.moved(request.payment_id) == []

    def test_an_unknown_key_is_not_found(self, psp: Psp) -> None:
        assert psp.gateway.look_up("chg/never?asked") == NotFound()
        assert psp.gateway.void("chg/never?asked") == NotFound()
        assert psp.gateway.look_up_refund("rfd/never?asked") == NotFound()

    @pytest.mark.parametrize("scenario", ["wrong_amount", "wrong_currency", "wrong_reference"])
    def test_a_contradiction_is_passed_on_and_not_judged(self, psp: Psp, scenario: str) -> None:
        request = psp.request(scenario)

        outcome = psp.gateway.charge(request)

        assert isinstance(outcome, Charged)
        as_told = {
            "wrong_amount": outcome.amount.minor != AMOUNT.minor,
            "wrong_currency": outcome.amount.currency != AMOUNT.currency,
            "wrong_reference": outcome.payment_id != request.payment_id,
        }
        assert [name for name, is_wrong in as_told.items() if is_wrong] == [scenario]
        assert psp.gateway.look_up(request.key) == outcome

    def test_what_is_not_understood_is_never_an_outcome(self, psp: Psp) -> None:
        request = psp.request("poison")

        with pytest.raises(UnmappedAnswerError):
            psp.gateway.charge(request)
        with pytest.raises(UnmappedAnswerError):
            psp.gateway.look_up(request.key)
        assert psp.moved(request.payment_id) == []

        psp.heal(request.payment_id)
        assert psp.gateway.look_up(request.key) == NotFound()
        assert isinstance(psp.gateway.charge(request), Charged)

    def test_a_repeat_is_the_same_charge(self, psp: Psp) -> None:
        request = psp.request()

        outcomes = [psp.gateway.charge(request) for _ in range(3)]

        assert outcomes == [outcomes[0]] * 3
        assert len(psp.moved(request.payment_id)) == 1

    def test_repeats_side_by_side_are_the_same_charge(self, psp: Psp) -> None:
        request = psp.request()

        with ThreadPoolExecutor(REPEATS) as pool:
            outcomes = list(pool.map(psp.gateway.charge, [request] * REPEATS))

        assert outcomes == [outcomes[0]] * REPEATS
        assert len(psp.moved(request.payment_id)) == 1

    @pytest.mark.parametrize("method", [Method.OXXO, Method.SPEI])
    def test_a_voucher_waits_for_its_payer(self, psp: Psp, method: Method) -> None:
        request = psp.voucher(method)

        waiting = psp.gateway.charge(request)

        assert isinstance(waiting, Awaiting)
        assert waiting.payment_id == request.payment_id
        assert (waiting.amount, waiting.received) == (AMOUNT, Money(0, "MXN"))
        assert waiting.next_action.expires_at == request.expires_at
        action = waiting.next_action
        assert (action.type, bool(action.reference), is_clabe(action.clabe)) == (
            ("oxxo_voucher", True, False)
            if method is Method.OXXO
            else ("spei_transfer", False, True)
        )
        assert psp.gateway.charge(request) == psp.gateway.look_up(request.key) == waiting
        assert psp.moved(request.payment_id) == []

    def test_a_voucher_is_paid_in_parts_and_too_much_is_told(self, psp: Psp) -> None:
        request = psp.voucher(Method.SPEI)
        psp.gateway.charge(request)
        seen = []

        for deposit, minor in (("a", 50), ("a", 50), ("b", 10_000), ("c", 10_050)):
            psp.pay(request.payment_id, minor, deposit)
            outcome = psp.gateway.look_up(request.key)
            assert isinstance(outcome, Charged | Awaiting)
            seen.append((type(outcome), outcome.received.minor))

        assert seen == [(Awaiting, 50), (Awaiting, 50), (Charged, 10_050), (Charged, 20_100)]
        assert len(psp.moved(request.payment_id)) == 1

    def test_payers_side_by_side_lose_no_deposit(self, psp: Psp) -> None:
        request = psp.voucher(Method.SPEI)
        psp.gateway.charge(request)

        with ThreadPoolExecutor(REPEATS) as pool:
            list(pool.map(lambda n: psp.pay(request.payment_id, 1_000, f"d-{n}"), range(REPEATS)))

        outcome = psp.gateway.look_up(request.key)
        assert isinstance(outcome, Charged)
        assert outcome.received == Money(1_000 * REPEATS, "MXN")

    def test_a_voided_voucher_waits_no_more_and_late_money_is_told(self, psp: Psp) -> None:
        request = psp.voucher(Method.OXXO)
        psp.gateway.charge(request)

        voided = psp.gateway.void(request.key)
        assert isinstance(voided, Voided)
        assert voided.received == Money(0, "MXN")
        assert psp.gateway.void(request.key) == psp.gateway.look_up(request.key) == voided

        psp.pay(request.payment_id, 50, "late")
        assert psp.gateway.look_up(request.key) == replace(voided, received=Money(50, "MXN"))
        psp.pay(request.payment_id, 10_000, "later")
        assert isinstance(psp.gateway.look_up(request.key), Charged)

    def test_what_was_paid_can_not_be_voided(self, psp: Psp) -> None:
        request = psp.voucher(Method.OXXO)
        psp.gateway.charge(request)
        psp.pay(request.payment_id, AMOUNT.minor, "a")

        outcome = psp.gateway.void(request.key)

        assert isinstance(outcome, Charged)
        assert psp.gateway.look_up(request.key) == outcome

    def test_the_psps_own_expiry_counts(self, psp: Psp) -> None:
        request = psp.voucher(Method.OXXO, "expires_soon")

        waiting = psp.gateway.charge(request)

        assert isinstance(waiting, Awaiting)
        assert request.expires_at is not None
        assert waiting.next_action.expires_at < request.expires_at

    @pytest.mark.parametrize("scenario", ["hard_decline", "unavailable", "poison", "lost_before"])
    def test_a_voucher_can_fail_as_a_charge_can(self, psp: Psp, scenario: str) -> None:
        request = psp.voucher(Method.OXXO, scenario)
        gateway = psp.impatient if scenario == "lost_before" else psp.gateway

        try:
            outcome: object = gateway.charge(request)
        except (GatewayUnavailableError, UnmappedAnswerError, OutcomeUnknownError) as error:
            outcome = error

        expected = {
            "hard_decline": Declined,
            "unavailable": GatewayUnavailableError,
            "poison": UnmappedAnswerError,
            "lost_before": OutcomeUnknownError,
        }
        assert isinstance(outcome, expected[scenario])

    def test_a_refund_is_made_once_and_found_again(self, psp: Psp) -> None:
        charge = psp.charged()
        request = refund_of(charge, 50)

        outcome = psp.gateway.refund(request)
        repeated = psp.gateway.refund(request)

        assert isinstance(outcome, Refunded)
        assert (outcome.refund_id, outcome.amount) == (request.refund_id, request.amount)
        assert outcome.reference
        assert psp.gateway.look_up_refund(request.key) == repeated == outcome
        assert len(psp.refunded(charge.payment_id)) == 1

    def test_refunds_side_by_side_never_exceed_the_charge(self, psp: Psp) -> None:
        charge = psp.charged()
        requests = [refund_of(charge, 4_000) for _ in range(8)]

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(psp.gateway.refund, requests))

        assert sum(isinstance(outcome, Refunded) for outcome in outcomes) == 2
        assert all(
            psp.gateway.look_up_refund(request.key) == outcome
            for request, outcome in zip(requests, outcomes, strict=True)
        )
        assert len(psp.refunded(charge.payment_id)) == 2

    def test_a_refund_that_exceeds_the_charge_is_declined(self, psp: Psp) -> None:
        charge = psp.charged()
        request = refund_of(charge, AMOUNT.minor + 1)

        outcome = psp.gateway.refund(request)

        assert isinstance(outcome, RefundDeclined)
        assert (outcome.refund_id, outcome.amount) == (request.refund_id, request.amount)
        assert psp.gateway.refund(request) == psp.gateway.look_up_refund(request.key) == outcome
        assert psp.refunded(charge.payment_id) == []

    def test_a_voucher_is_refunded_up_to_what_came(self, psp: Psp) -> None:
        charge = psp.voucher(Method.SPEI)
        psp.gateway.charge(charge)
        assert isinstance(psp.gateway.refund(refund_of(charge, 1)), RefundDeclined)

        psp.pay(charge.payment_id, AMOUNT.minor + 50, "too much")

        assert isinstance(psp.gateway.refund(refund_of(charge, AMOUNT.minor + 50)), Refunded)
        assert isinstance(psp.gateway.refund(refund_of(charge, 1)), RefundDeclined)

    def test_what_came_short_of_a_voided_voucher_can_be_refunded(self, psp: Psp) -> None:
        charge = psp.voucher(Method.OXXO)
        psp.gateway.charge(charge)
        psp.pay(charge.payment_id, 50, "short")
        psp.gateway.void(charge.key)

        assert isinstance(psp.gateway.refund(refund_of(charge, 50)), Refunded)
        assert isinstance(psp.gateway.refund(refund_of(charge, 1)), RefundDeclined)

    def test_a_declined_refund_is_for_good(self, psp: Psp) -> None:
        charge = psp.charged("refund_declined")
        request = refund_of(charge)

        outcome = psp.gateway.refund(request)

        assert isinstance(outcome, RefundDeclined)
        assert outcome.code
        assert psp.gateway.look_up_refund(request.key) == outcome
        assert psp.refunded(charge.payment_id) == []

    def test_a_refunds_lost_answer_is_found_by_a_look_up(self, psp: Psp) -> None:
        charge = psp.charged("refund_lost_after")
        request = refund_of(charge)

        with pytest.raises(OutcomeUnknownError):
            psp.impatient.refund(request)

        found = until(
            lambda: psp.gateway.look_up_refund(request.key), lambda found: found != NotFound()
        )
        assert isinstance(found, Refunded)
        assert psp.gateway.refund(request) == found, "the repeat is the same refund"
        assert len(psp.refunded(charge.payment_id)) == 1

    def test_a_refund_of_a_charge_that_never_was_is_no_outcome(self, psp: Psp) -> None:
        with pytest.raises(UnmappedAnswerError):
            psp.gateway.refund(refund_of(psp.request()))
