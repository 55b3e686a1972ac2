"""The gateway step against moto: one charge, whatever order and doubt."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Status
from riel.errors import (
    GatewayUnavailableError,
    LeaseLostError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, Declined
from riel.services.process_payment import GiveBackError, Step, process_payment
from tests.builders import FakeClock, FakeGateway, store_payment


def outbox_types(aws: Any) -> list[str]:
    items = aws.scan(TableName="outbox")["Items"]
    return sorted(item["type"]["S"] for item in items)


def test_a_payment_is_charged_completed_and_told_of_in_one_step(
    app: App, aws: Any, gateway: FakeGateway
) -> None:
    payment = store_payment(app)

    done = process_payment(app, Step(payment.payment_id), receives=1)

    stored = app.payments.get(payment.payment_id)
    assert done == "completed"
    assert stored is not None
    assert [line.status for line in stored.history] == ["pending", "processing", "completed"]
    assert stored.received_minor == payment.amount.minor
    assert len(gateway.charges) == 1
    assert outbox_types(aws) == ["payment.completed", "payment.created"]


def test_a_decline_fails_the_payment_and_says_why(app: App, gateway: FakeGateway) -> None:
    gateway.answer = Declined("card_declined", "The card was declined.")
    payment = store_payment(app)

    process_payment(app, Step(payment.payment_id), receives=1)

    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert stored.status == Status.FAILED
    assert stored.failure is not None
    assert stored.failure.code == "card_declined"


def test_fc_38_a_message_for_a_missing_or_final_payment_is_done_with(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    process_payment(app, Step(payment.payment_id), receives=1)

    assert process_payment(app, Step(payment.payment_id), 1) == "nothing to do: completed"
    assert process_payment(app, Step("pay_unknown"), 1) == "nothing to do: absent"
    assert len(gateway.sent) == 1


def test_fc_37_while_one_worker_holds_the_payment_others_give_the_message_back(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))

    with pytest.raises(GiveBackError) as caught:
        process_payment(app, Step(payment.payment_id), receives=1)

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

    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert [line.sequence for line in stored.history] == [1, 2, 3]
    assert len(slow.charges) == 1
    assert outbox_types(aws) == ["payment.completed", "payment.created"]


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


def test_fc_31_killed_before_the_call_the_next_worker_sends_with_the_same_key(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))
    clock.advance(21)

    assert process_payment(app, Step(payment.payment_id), receives=2) == "completed"
    assert len(gateway.charges) == 1


def test_a_lost_answer_is_looked_up_by_a_delayed_copy(
    app: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    payment = store_payment(app)
    gateway.after = [OutcomeUnknownError("timeout")]

    first = process_payment(app, Step(payment.payment_id), receives=1)
    depth = app.payments_queue.depth()
    second = process_payment(app, Step(payment.payment_id, waits=1), receives=1)

    assert first.startswith("deferred")
    assert depth["visible"] + depth["delayed"] == 1
    assert second == "completed"
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


def test_what_stays_unknown_goes_to_review_and_is_never_guessed(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    gateway.before = [OutcomeUnknownError("timeout")] * 5

    done = [process_payment(app, Step(payment.payment_id, n), receives=1) for n in range(3)]

    stored = app.payments.get(payment.payment_id)
    assert done[2] == "in_review"
    assert stored is not None
    assert stored.history[-1].cause == "outcome_unknown"
    assert len({request.key for request in gateway.sent}) == 1, "one key for every resend"


def test_fc_33_an_unavailable_gateway_defers_without_using_up_receives(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    gateway.before = [GatewayUnavailableError("503")] * 3

    done = [process_payment(app, Step(payment.payment_id, n), receives=1) for n in range(4)]

    assert [text.split()[0] for text in done] == ["deferred"] * 3 + ["completed"]
    messages = app.payments_queue.receive(0)
    assert {json.loads(message.body)["payment_id"] for message in messages} <= {payment.payment_id}


@pytest.mark.parametrize("asked_and_got", [(10_050, 10_051), (10_050, 1)])
def test_fc_34_another_amount_than_asked_goes_to_review(
    app: App, gateway: FakeGateway, asked_and_got: tuple[int, int]
) -> None:
    asked, got = asked_and_got
    payment = store_payment(app, amount=Money(asked, "MXN"))
    gateway.answer = Charged("ref", Money(got, "MXN"))

    assert process_payment(app, Step(payment.payment_id), receives=1) == "in_review"


def test_fc_44_an_answer_that_nobody_understands_changes_nothing_and_ends_as_a_dead_letter(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    gateway.before = [UnmappedAnswerError("perhaps")] * 3

    for receives in (1, 2, 3):
        with pytest.raises(UnmappedAnswerError):
            process_payment(app, Step(payment.payment_id), receives)

    stored = app.payments.get(payment.payment_id)
    assert stored is not None
    assert (stored.status, stored.attention) == ("processing", "dead_letter")
    assert stored.attention_reason == "psp_unmapped_status: perhaps"
    # Redriven after the PSP was mended, it completes, and nothing asks for attention any more.
    assert process_payment(app, Step(payment.payment_id), receives=1) == "completed"
    healed = app.payments.get(payment.payment_id)
    assert healed is not None
    assert healed.attention is None
