"""A PSP that answers wrongly, or what nobody understands; and a defect of ours behind that."""

from __future__ import annotations

from typing import Any

import pytest

from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Payment
from riel.errors import UnmappedAnswerError
from riel.gateways.base import Charged, NotFound, Outcome
from riel.observability import metrics
from riel.services.process_payment import Step, process_payment
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.integration.inbox import counted
from tests.timeline import Timeline


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> Timeline:
    return Timeline(app, clock)


@pytest.mark.parametrize("received", [10_051, 1])
def test_fc_34_another_amount_than_asked_goes_to_review(
    app: App, gateway: FakeGateway, received: int
) -> None:
    payment = store_payment(app)
    money = Money(received, "MXN")
    gateway.answer = Charged(payment.payment_id, money, "ref", money)

    assert process_payment(app, Step(payment.payment_id), receives=1) == "in_review"
    after = stored(app, payment)
    assert after.history[-1].cause == "amount_mismatch"
    assert after.received_minor == 0, "what nobody asked for is not counted"


def test_fc_34_an_answer_about_another_payment_goes_to_review_and_later_proof_settles_it(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    gateway.answer = Charged("pay_other", payment.amount, "alien", payment.amount)
    process_payment(app, Step(payment.payment_id), receives=1)
    in_review = stored(app, payment)
    again = process_payment(app, Step(payment.payment_id, look=True), receives=1)
    (key,) = gateway.charges
    gateway.charges[key] = Charged(payment.payment_id, payment.amount, "own", payment.amount)

    settled = process_payment(app, Step(payment.payment_id, look=True), receives=1)

    assert in_review.history[-1].cause == "reference_mismatch"
    assert in_review.history[-1].note == "the PSP speaks of 'pay_other'"
    assert again == "in_review: still contradicted"
    assert settled == "completed"
    assert stored(app, payment).gateway_reference == "own"


class Poisonous(FakeGateway):
    """Answers what nobody understands, to a charge and to a look-up, until it is healed."""

    is_ill = True

    def charge(self, request: Any) -> Outcome:
        if self.is_ill:
            self.sent.append(request)
            raise UnmappedAnswerError("perhaps")
        return super().charge(request)

    def look_up(self, key: str) -> Outcome | NotFound:
        if self.is_ill:
            raise UnmappedAnswerError("perhaps")
        return super().look_up(key)


def test_fc_44_an_answer_that_nobody_understands_changes_nothing_and_ends_as_a_dead_letter(
    app: App, timeline: Timeline
) -> None:
    gateway = Poisonous()
    app.__dict__["gateways"] = {"simulator": gateway}
    payment = store_payment(app)
    metrics.clear_metrics()

    timeline.run(Step(payment.payment_id))

    after = stored(app, payment)
    assert counted("GatewayAnswerUnmapped") == app.config.payments_max_receives, "an alarm"
    assert (after.status, after.attention) == ("processing", "dead_letter")
    assert after.attention_reason == "psp_unmapped_status: perhaps"
    assert [body["payment_id"] for body in timeline.dead] == [payment.payment_id]
    assert len(gateway.sent) == 1, "it may be a charge, so it is looked for and not sent again"
    # Redriven after the PSP was mended, it completes, and nothing asks for attention any more.
    gateway.is_ill = False
    timeline.run(Step(payment.payment_id))
    healed = stored(app, payment)
    assert (healed.status, healed.attention) == ("completed", None)
    assert len(gateway.charges) == 1


def test_fc_44_a_psps_event_takes_no_dead_letter_from_the_operators_eyes(
    app: App, timeline: Timeline
) -> None:
    gateway = Poisonous()
    app.__dict__["gateways"] = {"simulator": gateway}
    payment = store_payment(app)
    timeline.run(Step(payment.payment_id))

    with pytest.raises(UnmappedAnswerError):
        process_payment(app, Step(payment.payment_id, look=True), receives=1)

    assert stored(app, payment).attention == "dead_letter"


def test_fc_44_what_fails_after_the_gateways_answer_is_told_at_the_last_receive(
    app: App, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours behind the answer: no gateway, and no table, is to blame."""
    payment = store_payment(app)

    def defect(*_: Any) -> None:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(app.payments, "record", defect)
        for receives in (1, 2, 3):
            with pytest.raises(ZeroDivisionError):
                process_payment(app, Step(payment.payment_id), receives)
    after = app.payments.get(payment.payment_id)
    assert after is not None
    assert (after.attention, after.attention_reason) == (
        "dead_letter",
        "ZeroDivisionError: a defect",
    )
    assert process_payment(app, Step(payment.payment_id), receives=1) == "completed"
    assert len(gateway.sent) == 1, "looked up, not sent again"
