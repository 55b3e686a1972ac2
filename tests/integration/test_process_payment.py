"""The gateway step of a card payment: one charge, whatever order and doubt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Method, Payment, Status
from riel.errors import (
    LeaseLostError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from riel.gateways.base import Declined, NotFound, Outcome
from riel.observability import metrics
from riel.services.process_payment import GiveBackError, Step, process_payment
from riel.store.payments import Claimed
from tests.builders import FakeClock, FakeGateway, make_payment, store_payment
from tests.integration.inbox import counted
from tests.timeline import Timeline


def outbox_types(aws: Any) -> list[str]:
    items = aws.scan(TableName="outbox")["Items"]
    return sorted(item["type"]["S"] for item in items)


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def declined(payment: Payment, *, is_soft: bool = False) -> Declined:
    code = "issuer_unavailable" if is_soft else "card_declined"
    return Declined(payment.payment_id, payment.amount, code, "No.", is_soft)


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> Timeline:
    return Timeline(app, clock)


def test_a_payment_is_charged_completed_and_told_of_in_one_step(
    app: App, aws: Any, gateway: FakeGateway
) -> None:
    payment = store_payment(app)

    done = process_payment(app, Step(payment.payment_id), receives=1)

    after = stored(app, payment)
    assert done == "completed"
    assert [line.status for line in after.history] == ["pending", "processing", "completed"]
    assert after.received_minor == payment.amount.minor
    assert len(gateway.charges) == 1
    assert outbox_types(aws) == ["payment.completed", "payment.created"]


def test_fc_39_a_hard_decline_fails_the_payment_at_once_and_says_why(
    app: App, gateway: FakeGateway, timeline: Timeline
) -> None:
    payment = store_payment(app)
    gateway.answer = declined(payment)

    timeline.run(Step(payment.payment_id))

    after = stored(app, payment)
    assert after.status == Status.FAILED
    assert after.failure is not None
    assert after.failure.code == "card_declined"
    assert len(gateway.sent) == 1


def test_fc_39_a_soft_decline_is_charged_again_under_a_new_key_when_its_time_has_come(
    app: App, gateway: FakeGateway, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    gateway.answer = declined(payment, is_soft=True)
    process_payment(app, Step(payment.payment_id), receives=1)
    gateway.answer = None

    early = process_payment(app, Step(payment.payment_id), receives=1)
    timeline.run()

    after = stored(app, payment)
    assert early == "nothing to do yet"
    assert after.status == Status.COMPLETED
    assert after.declines == ("issuer_unavailable",)
    assert after.charge_number == 2
    assert len({request.key for request in gateway.sent}) == len(gateway.sent) == 2
    assert (clock() - payment.created_at).total_seconds() >= 2


def test_fc_39_soft_declines_end_when_their_retries_are_used_up(
    app: App, gateway: FakeGateway, timeline: Timeline
) -> None:
    payment = store_payment(app)
    gateway.answer = declined(payment, is_soft=True)

    timeline.run(Step(payment.payment_id))

    after = stored(app, payment)
    retries = len(app.config.soft_decline_retry_seconds)
    assert after.status == Status.FAILED
    assert len(after.declines) == retries
    assert len(gateway.sent) == 1 + retries


def test_fc_38_a_message_for_a_missing_or_final_payment_is_done_with(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    process_payment(app, Step(payment.payment_id), receives=1)
    metrics.clear_metrics()

    assert process_payment(app, Step(payment.payment_id), 1) == "nothing to do: completed"
    assert process_payment(app, Step("pay_unknown"), 1) == "nothing to do: absent"
    assert process_payment(app, Step("pay_unknown", look=True), 1) == "nothing to do: absent"
    assert len(gateway.sent) == 1
    assert counted("PaymentStepSkipped") == 3


def test_fc_37_while_one_worker_holds_the_payment_others_give_the_message_back(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))

    for look in (False, True):
        with pytest.raises(GiveBackError) as caught:
            process_payment(app, Step(payment.payment_id, look=look), receives=1)
        assert 20 <= caught.value.seconds <= 21

    assert gateway.sent == []


def test_fc_36_a_worker_that_outslept_its_lease_can_write_nothing(
    app: App, clock: FakeClock, aws: Any
) -> None:
    payment = store_payment(app)

    class SlowGateway(FakeGateway):
        def charge(self, request: Any) -> Any:
            outcome = super().charge(request)
            if len(self.sent) == 1:
                clock.advance(30)  # the lease is over, and a second worker takes the payment
                assert process_payment(app, Step(payment.payment_id), 2) == "completed"
            return outcome

    slow = SlowGateway()
    app.__dict__["gateways"] = {"simulator": slow}

    with pytest.raises(LeaseLostError):
        process_payment(app, Step(payment.payment_id), receives=1)

    assert [line.sequence for line in stored(app, payment).history] == [1, 2, 3]
    assert len(slow.charges) == 1
    assert outbox_types(aws) == ["payment.completed", "payment.created"]


def test_fc_36_a_worker_that_slept_between_look_up_and_charge_sends_nothing(
    app: App, clock: FakeClock
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))
    clock.advance(60)

    class FrozenGateway(FakeGateway):
        def look_up(self, key: str) -> Outcome | NotFound:
            clock.advance(app.config.lease_seconds)
            return super().look_up(key)

    frozen = FrozenGateway()
    app.__dict__["gateways"] = {"simulator": frozen}

    with pytest.raises(LeaseLostError):
        process_payment(app, Step(payment.payment_id), receives=1)

    assert frozen.sent == []


def test_fc_30_killed_after_the_charge_the_next_worker_looks_up_and_adopts(
    app: App, gateway: FakeGateway, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = store_payment(app)

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(app.payments, "record", die)
        with pytest.raises(Killed):
            process_payment(app, Step(payment.payment_id), receives=1)
    clock.advance(21)
    done = process_payment(app, Step(payment.payment_id), receives=2)

    assert done == "completed"
    assert len(gateway.sent) == 1, "the second worker found the charge and sent nothing"


def test_fc_31_killed_before_the_call_the_next_worker_sends_when_absence_is_proven(
    app: App, gateway: FakeGateway, clock: FakeClock, timeline: Timeline
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))
    lease_end = clock() + timedelta(seconds=20)
    clock.advance(21)

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).status == Status.COMPLETED
    # The key that the worker which died would have sent: the first charge of this payment.
    key = ids.gateway_key(payment.payment_id, "simulator", payment.charge_number)
    assert [request.key for request in gateway.sent] == [key]
    longest = gateway.capabilities.longest_request_seconds
    assert clock() >= lease_end + timedelta(seconds=longest), "until then it proves nothing"


def test_a_lost_answer_is_looked_up_by_a_delayed_copy(
    app: App, gateway: FakeGateway, timeline: Timeline
) -> None:
    payment = store_payment(app)
    gateway.after = [OutcomeUnknownError("timeout")]

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).status == Status.COMPLETED
    assert [queue for queue, _body, _delay in timeline.sent] == ["payments", "payments"]
    assert len(gateway.sent) == 1


def test_fc_64_a_throttled_table_after_the_charge_defers_and_the_charge_is_found(
    app: App, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = store_payment(app)

    def throttled(*_: Any) -> None:
        raise StoreUnavailableError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(app.payments, "record", throttled)
        first = process_payment(app, Step(payment.payment_id), receives=1)
    second = process_payment(app, Step(payment.payment_id, waits=1), receives=1)

    assert first.startswith("deferred")
    assert second == "completed", "the claim was given back, nobody waits for its lease"
    assert len(gateway.sent) == 1


def test_a_gateway_that_is_not_configured_ends_as_a_dead_letter_and_not_as_a_loss(
    app: App, timeline: Timeline
) -> None:
    app.__dict__["gateways"] = {}
    payment = store_payment(app)

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).attention == "dead_letter"
    assert len(timeline.dead) == 1


def test_a_refusal_of_the_store_before_the_claim_defers_on_the_messages_own_queue(
    app: App, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any) -> None:
        raise StoreUnavailableError("throttled")

    monkeypatch.setattr(app.payments, "claim", throttled)
    process_payment(app, Step(make_payment().payment_id, gateway="standby"), receives=1)

    assert [queue for queue, _body, _delay in timeline.sent] == ["payments-standby"]


def test_fc_37_a_repeat_that_finds_the_payment_held_at_each_receive_is_no_dead_letter(
    app: App, clock: FakeClock
) -> None:
    payment = store_payment(app)
    lease = timedelta(seconds=20)
    assert isinstance(app.payments.claim(payment.payment_id, clock(), lease), Claimed)
    timeline = Timeline(app, clock)
    step = Step(payment.payment_id)

    for receives in (1, 2):
        with pytest.raises(GiveBackError):
            process_payment(app, step, receives)
    done = process_payment(app, step, receives=3)

    assert done == "held by another worker, a copy comes in 21 s"
    ((_, body, delay),) = timeline.sent
    assert body["payment_id"] == payment.payment_id
    assert delay >= 21, "when the lease is over"


def test_fc_30_a_result_that_was_written_although_its_answer_was_lost_is_left_alone(
    app: App, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own table's answer is lost after the commit: nothing else can tell that it happened."""
    payment = store_payment(app, method=Method.OXXO)
    record = app.payments.record

    def lost(*arguments: Any) -> None:
        record(*arguments)
        raise StoreUnavailableError("no answer")

    monkeypatch.setattr(app.payments, "record", lost)
    process_payment(app, Step(payment.payment_id), receives=1)

    after = app.payments.get(payment.payment_id)
    assert after is not None
    assert after.status == Status.AWAITING_PAYMENT
    assert after.due_at is not None, "it still stands in the index of what is due"


def test_a_soft_decline_that_was_written_although_its_answer_was_lost_is_not_written_over(
    app: App, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told of a failure gives the claim back; it was given back already, with more."""
    payment = store_payment(app)
    gateway.answer = declined(payment, is_soft=True)
    release, lost = app.payments.release, [StoreUnavailableError("no answer")]

    def answering_once_less(*arguments: Any, **named: Any) -> bool:
        done = release(*arguments, **named)
        if lost:
            raise lost.pop()
        return done

    monkeypatch.setattr(app.payments, "release", answering_once_less)
    process_payment(app, Step(payment.payment_id), receives=1)

    after = app.payments.get(payment.payment_id)
    assert after is not None
    assert (after.charge_number, after.quiet_since_ms) == (2, 0)
