"""The gateway step of a refund: the money goes back once, whatever order and doubt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.events import refund_created
from riel.domain.money import Money
from riel.domain.payment import Payment
from riel.domain.refund import Refund, RefundStatus, RefundTransition, reserve
from riel.errors import (
    GatewayUnavailableError,
    LeaseLostError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnmappedAnswerError,
)
from riel.gateways.base import NotFound, RefundDeclined, Refunded, RefundOutcome, RefundRequest
from riel.services.process_payment import Step, process_payment
from riel.services.process_refund import RefundStep, process_refund
from riel.services.steps import GiveBackError
from riel.store.refunds import Reserved
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.timeline import Timeline

MINOR = 4_000


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> Timeline:
    return Timeline(app, clock)


@pytest.fixture
def payment(app: App) -> Payment:
    """A completed card payment."""
    payment = store_payment(app)
    assert process_payment(app, Step(payment.payment_id), receives=1) == "completed"
    return paid(app, payment.payment_id)


@pytest.fixture
def refund(app: App, payment: Payment) -> Refund:
    return store_refund(app, payment, "r1")


def store_refund(app: App, payment: Payment, key: str) -> Refund:
    amount = Money(MINOR, payment.amount.currency)
    refund = Refund(
        refund_id=ids.refund_id(payment.merchant_id, payment.livemode, payment.payment_id, key),
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=amount,
        fingerprint="f",
        gateway=payment.gateway,
        history=(RefundTransition(1, RefundStatus.PENDING, app.clock(), "created"),),
    )
    before = paid(app, payment.payment_id)
    after = reserve(before, amount)
    assert isinstance(after, Payment)
    event = refund_created(ids.event_id(refund.refund_id, 1), after, refund)
    assert app.refunds.create(before, after, refund, event) is Reserved.WRITTEN
    return refund


def paid(app: App, payment_id: str) -> Payment:
    found = app.payments.get(payment_id)
    assert found is not None
    return found


def stored(app: App, refund: Refund) -> Refund:
    found = app.refunds.get(refund.payment_id, refund.refund_id)
    assert found is not None
    return found


def step_of(refund: Refund, *, look: bool = False) -> RefundStep:
    return RefundStep(refund.payment_id, refund.refund_id, look=look)


def outbox(aws: Any, kind: str) -> int:
    items = aws.scan(TableName="outbox")["Items"]
    return sum(item["type"]["S"] == kind for item in items)


def test_a_refund_is_sent_for_its_charge_completed_counted_and_told_of(
    app: App, aws: Any, gateway: FakeGateway, payment: Payment, refund: Refund
) -> None:
    done = process_refund(app, step_of(refund), receives=1)

    after = stored(app, refund)
    (request,) = gateway.refunds_sent
    assert done == "completed"
    assert [line.status for line in after.history] == ["pending", "processing", "completed"]
    assert request.charge_key == gateway.sent[0].key
    assert request.charge_reference == payment.gateway_reference
    assert (request.amount, request.refund_id) == (refund.amount, refund.refund_id)
    assert paid(app, payment.payment_id).refunded_minor == MINOR
    assert paid(app, payment.payment_id).reserved_minor == MINOR
    assert outbox(aws, "refund.completed") == 1


def test_a_declined_refund_fails_and_its_amount_can_be_refunded_again(
    app: App, aws: Any, gateway: FakeGateway, refund: Refund
) -> None:
    gateway.refund_answer = RefundDeclined(refund.refund_id, refund.amount, "too_late", "No.")

    assert process_refund(app, step_of(refund), receives=1) == "failed"

    after = stored(app, refund)
    assert after.failure is not None
    assert after.failure.code == "too_late"
    assert paid(app, refund.payment_id).reserved_minor == 0
    assert paid(app, refund.payment_id).refunded_minor == 0
    assert outbox(aws, "refund.failed") == 1


def test_fc_38_a_message_for_a_missing_or_final_refund_is_done_with(
    app: App, gateway: FakeGateway, refund: Refund
) -> None:
    process_refund(app, step_of(refund), receives=1)
    absent = RefundStep(refund.payment_id, "re_unknown", look=True)

    assert process_refund(app, step_of(refund), receives=1) == "nothing to do: completed"
    assert process_refund(app, step_of(refund, look=True), 1) == "completed: nothing new"
    assert process_refund(app, absent, receives=1) == "nothing to do: absent"
    assert len(gateway.refunds_sent) == 1


def test_fc_51_a_refund_that_came_back_after_its_end_is_told_of_and_stays_what_it_was(
    app: App, gateway: FakeGateway, refund: Refund
) -> None:
    process_refund(app, step_of(refund), receives=1)
    (key,) = gateway.refunds
    gateway.refunds[key] = RefundDeclined(refund.refund_id, refund.amount, "bounced", "Bounced.")

    first = process_refund(app, step_of(refund, look=True), 1)
    again = process_refund(app, step_of(refund, look=True), 1)

    after = stored(app, refund)
    assert first == "completed: contradicted, the PSP says failed"
    assert again == "completed: nothing new", "told of once"
    assert (after.status, after.attention) == ("completed", "contradiction")
    assert after.attention_reason == "outcome_changed: completed, and the PSP says failed"


@pytest.mark.parametrize("spoiled", ["amount", "reference"])
def test_fc_34_a_refund_of_something_else_goes_to_review_and_later_proof_settles_it(
    app: App, aws: Any, gateway: FakeGateway, refund: Refund, spoiled: str
) -> None:
    one_more = Money(MINOR + 1, refund.amount.currency)
    answers = {
        "amount": Refunded(refund.refund_id, one_more, "ref"),
        "reference": Refunded("re_other", refund.amount, "ref"),
    }
    gateway.refund_answer = answers[spoiled]

    first = process_refund(app, step_of(refund), receives=1)
    in_review = stored(app, refund)
    again = process_refund(app, step_of(refund, look=True), receives=1)
    (key,) = gateway.refunds
    gateway.refunds[key] = Refunded(refund.refund_id, refund.amount, "ref")
    settled = process_refund(app, step_of(refund, look=True), receives=1)

    assert (first, again, settled) == ("in_review", "in_review: still contradicted", "completed")
    assert in_review.history[-1].cause == f"{spoiled}_mismatch"
    assert paid(app, refund.payment_id).refunded_minor == MINOR
    assert outbox(aws, "refund.completed") == 1


def test_fc_32_a_lost_answer_is_looked_up_and_the_refund_is_counted_once(
    app: App, gateway: FakeGateway, refund: Refund, timeline: Timeline
) -> None:
    gateway.after = [OutcomeUnknownError("timeout")]

    timeline.run(step_of(refund))

    assert stored(app, refund).status == "completed"
    assert len(gateway.refunds_sent) == 1
    assert paid(app, refund.payment_id).refunded_minor == MINOR


def test_a_doubt_that_was_written_although_its_answer_was_lost_is_not_written_over(
    app: App, gateway: FakeGateway, refund: Refund, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.before = [OutcomeUnknownError("timeout")]
    release, lost = app.refunds.release, [StoreUnavailableError("no answer")]

    def answering_once_less(*arguments: Any, **named: Any) -> bool:
        done = release(*arguments, **named)
        if lost:
            raise lost.pop()
        return done

    monkeypatch.setattr(app.refunds, "release", answering_once_less)
    process_refund(app, step_of(refund), receives=1)

    assert stored(app, refund).unknown_outcomes == 1


def test_fc_32_a_refund_that_stays_unknown_goes_to_review_with_its_amount_reserved(
    app: App, gateway: FakeGateway, refund: Refund, timeline: Timeline
) -> None:
    gateway.before = [OutcomeUnknownError("timeout")] * 9

    timeline.run(step_of(refund))

    after = stored(app, refund)
    assert (after.status, after.history[-1].cause) == ("in_review", "outcome_unknown")
    assert len({request.key for request in gateway.refunds_sent}) == 1
    assert paid(app, refund.payment_id).reserved_minor == MINOR


def test_fc_33_an_unavailable_gateway_defers_a_refund(
    app: App, gateway: FakeGateway, refund: Refund, timeline: Timeline
) -> None:
    gateway.before = [GatewayUnavailableError("503")] * 3

    timeline.run(step_of(refund))

    assert stored(app, refund).status == "completed"
    assert stored(app, refund).unknown_outcomes == 0
    assert timeline.dead == []


def test_fc_36_a_worker_that_outslept_its_lease_writes_nothing_and_counts_nothing(
    app: App, clock: FakeClock, refund: Refund
) -> None:
    class SlowGateway(FakeGateway):
        def refund(self, request: RefundRequest) -> RefundOutcome:
            outcome = super().refund(request)
            if len(self.refunds_sent) == 1:
                clock.advance(30)
                assert process_refund(app, step_of(refund), receives=2) == "completed"
            return outcome

    app.__dict__["gateways"] = {"simulator": SlowGateway()}

    with pytest.raises(LeaseLostError):
        process_refund(app, step_of(refund), receives=1)

    assert paid(app, refund.payment_id).refunded_minor == MINOR


def test_fc_37_while_one_worker_holds_the_refund_others_give_the_message_back(
    app: App, clock: FakeClock, gateway: FakeGateway, refund: Refund
) -> None:
    app.refunds.claim(refund.payment_id, refund.refund_id, clock(), timedelta(seconds=20))

    with pytest.raises(GiveBackError):
        process_refund(app, step_of(refund), receives=1)

    assert gateway.refunds_sent == []


def test_fc_44_a_poisonous_refund_ends_as_a_dead_letter_and_heals_by_a_redrive(
    app: App, refund: Refund, timeline: Timeline
) -> None:
    class Poisonous(FakeGateway):
        is_ill = True

        def refund(self, request: RefundRequest) -> RefundOutcome:
            if self.is_ill:
                self.refunds_sent.append(request)
                raise UnmappedAnswerError("perhaps")
            return super().refund(request)

        def look_up_refund(self, key: str) -> RefundOutcome | NotFound:
            if self.is_ill:
                raise UnmappedAnswerError("perhaps")
            return super().look_up_refund(key)

    gateway = Poisonous()
    app.__dict__["gateways"] = {"simulator": gateway}
    timeline.run(step_of(refund))
    ill = stored(app, refund)
    gateway.is_ill = False
    timeline.run(step_of(refund))

    healed = stored(app, refund)
    assert (ill.status, ill.attention) == ("processing", "dead_letter")
    assert (healed.status, healed.attention) == ("completed", None)
    assert len(gateway.refunds) == 1


def test_fc_64_a_throttled_table_after_the_refund_defers_and_the_refund_is_found(
    app: App,
    gateway: FakeGateway,
    refund: Refund,
    timeline: Timeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def throttled(*_: Any) -> None:
        raise StoreUnavailableError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(app.refunds, "record", throttled)
        process_refund(app, step_of(refund), receives=1)
    timeline.run()

    assert stored(app, refund).status == "completed"
    assert len(gateway.refunds_sent) == 1


def test_two_refunds_of_a_payment_are_two_at_the_psp(
    app: App, gateway: FakeGateway, payment: Payment, refund: Refund
) -> None:
    second = store_refund(app, payment, "r2")

    for each in (refund, second, refund, second):
        process_refund(app, step_of(each), receives=1)

    assert len(gateway.refunds) == 2
    assert paid(app, payment.payment_id).refunded_minor == 2 * MINOR
