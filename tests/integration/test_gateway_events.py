"""A stored event is a reason to look at the PSP: what it leads to, and what it can not do."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Attention, Method, Payment, Status
from riel.errors import (
    GatewayUnavailableError,
    MalformedMessageError,
    StoreUnavailableError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, Declined, NotFound
from riel.services.create_refund import refund_late_payment
from riel.services.process_gateway_event import HELD_SECONDS, InboxStep, process_gateway_event
from riel.services.process_payment import process_payment
from riel.services.process_refund import process_refund
from riel.services.steps import RefundStep, Step
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.integration.inbox import TRACE, counted, event, item, payment, process, receive

HOUR = 3600


def test_an_event_of_a_pending_payment_leads_to_its_step_and_is_done_with(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id)

    done = process(listening, inbox_id)

    assert done == "charge.succeeded: completed"
    assert payment(listening, stored.payment_id).status == Status.COMPLETED
    assert (event(listening, inbox_id).state, event(listening, inbox_id).done) == (
        "processed",
        done,
    )
    assert len(gateway.sent) == 1


def test_a_voucher_that_the_psp_says_is_paid_completes(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening, method=Method.OXXO)
    process_payment(listening, Step(stored.payment_id), 1)
    gateway.pay(stored.payment_id, stored.amount.minor)

    process(listening, receive(listening, stored.payment_id, type="charge.paid"))

    assert payment(listening, stored.payment_id).status == Status.COMPLETED
    assert len(gateway.sent) == 1


def test_an_event_is_believed_in_nothing_but_that_there_is_something_to_see(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening, method=Method.OXXO)
    process_payment(listening, Step(stored.payment_id), 1)

    lie = {"status": "succeeded", "amount": 10_050, "received": 10_050}
    process(listening, receive(listening, stored.payment_id, data=lie))

    assert payment(listening, stored.payment_id).status == Status.AWAITING_PAYMENT
    assert payment(listening, stored.payment_id).received_minor == 0


def test_fc_49_a_message_that_comes_again_looks_no_second_time(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id)
    process(listening, inbox_id)
    gateway.charges.clear()  # a look would find a contradiction

    assert process(listening, inbox_id) == "nothing to do: processed"
    assert process(listening, "inb_gone") == "nothing to do: absent"
    assert counted("GatewayEventProcessed") == 1


TIMELINE = ("charge.processing", "charge.succeeded", "charge.declined")


@pytest.mark.parametrize("order", list(permutations(TIMELINE)), ids=" ".join)
def test_fc_51_in_whatever_order_events_come_the_payment_ends_as_the_psp_says(
    listening: App, gateway: FakeGateway, order: tuple[str, ...]
) -> None:
    stored = store_payment(listening)

    for kind in order:
        process(listening, receive(listening, stored.payment_id, kind, type=kind))

    after = payment(listening, stored.payment_id)
    assert [line.status for line in after.history] == ["pending", "processing", "completed"]
    assert after.attention is None
    assert len(gateway.sent) == 1


def test_fc_51_a_psp_that_takes_its_word_back_is_recorded_and_undoes_nothing(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    process_payment(listening, Step(stored.payment_id), 1)
    (key,) = gateway.charges
    gateway.charges[key] = Declined(
        stored.payment_id, stored.amount, "card_declined", "The card was declined."
    )

    inbox_id = receive(listening, stored.payment_id, type="charge.declined")
    process(listening, inbox_id)

    after = payment(listening, stored.payment_id)
    assert (after.status, after.attention) == (Status.COMPLETED, Attention.CONTRADICTION)
    assert event(listening, inbox_id).state == "processed"
    assert counted("GatewayContradicted") == 1


def test_fc_51_money_that_moved_after_all_is_recorded_on_a_failed_payment_and_changes_no_status(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    gateway.answer = Declined(
        stored.payment_id, stored.amount, "card_declined", "The card was declined."
    )
    process_payment(listening, Step(stored.payment_id), 1)
    (key,) = gateway.charges
    gateway.charges[key] = Charged(stored.payment_id, stored.amount, "ref", stored.amount)

    process(listening, receive(listening, stored.payment_id))

    after = payment(listening, stored.payment_id)
    assert (after.status, after.attention) == (Status.FAILED, Attention.CONTRADICTION)


def test_fc_54_an_event_about_another_gateways_payment_is_ignored_and_told_of(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id, gateway="standby")

    assert process(listening, inbox_id) == "foreign: ignored"

    assert event(listening, inbox_id).state == "foreign"
    assert payment(listening, stored.payment_id) == stored
    assert gateway.sent == []
    assert counted("GatewayEventForeign") == 1


def test_fc_54_an_event_of_the_other_mode_is_ignored_and_told_of(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id, livemode=True)

    assert process(listening, inbox_id) == "foreign: ignored"

    assert event(listening, inbox_id).done == (
        "the payment is in test mode, the event in live mode"
    )
    assert payment(listening, stored.payment_id) == stored
    assert counted("GatewayEventForeign") == 1


@pytest.mark.parametrize("kind", ["ping", "webhook_ping", "destination.test"])
def test_fc_55_an_event_by_which_a_psp_tries_the_address_is_done_with(
    listening: App, kind: str
) -> None:
    inbox_id = receive(listening, "", type=kind)

    assert process(listening, inbox_id) == f"{kind}: about no payment"
    assert event(listening, inbox_id).state == "processed"


def test_fc_55_an_event_of_an_unknown_type_leads_to_a_look_like_any_other(listening: App) -> None:
    stored = store_payment(listening)

    process(listening, receive(listening, stored.payment_id, type="charge.teleported"))

    assert payment(listening, stored.payment_id).status == Status.COMPLETED


def test_while_a_worker_has_the_payment_the_event_comes_back_in_seconds(
    listening: App, clock: FakeClock, copies: list[tuple[dict[str, Any], int]]
) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id)
    listening.payments.claim(stored.payment_id, clock(), timedelta(seconds=20))
    copies.clear()

    done = process(listening, inbox_id)

    assert done == f"again in {HELD_SECONDS} s: held by another worker"
    assert copies == [({"inbox_id": inbox_id, "waits": 1, "traceparent": TRACE}, HELD_SECONDS)]
    assert event(listening, inbox_id).state == "received"


def test_trouble_of_our_own_table_uses_up_no_receives(
    listening: App,
    copies: list[tuple[dict[str, Any], int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox_id = receive(listening, store_payment(listening).payment_id)
    copies.clear()

    def down(_inbox_id: str) -> None:
        raise StoreUnavailableError("throttled")

    # The model of a test does not throttle.
    monkeypatch.setattr(listening.inbox, "get", down)

    assert process(listening, inbox_id) == "again in 1 s: throttled"
    assert process(listening, inbox_id, waits=99) == "again in 8 s: throttled"
    assert [delay for _, delay in copies] == [1, 8]


def test_a_psp_that_is_down_is_looked_at_later_by_the_payments_own_queue(listening: App) -> None:
    stored = store_payment(listening)
    process_payment(listening, Step(stored.payment_id), 1)
    inbox_id = receive(listening, stored.payment_id)

    class DownGateway(FakeGateway):
        def look_up(self, key: str) -> NotFound:
            raise GatewayUnavailableError("503")

    listening.gateways["simulator"] = DownGateway()
    sent: list[dict[str, Any]] = []
    listening.sqs.meta.events.register(
        "provide-client-params.sqs.SendMessage",
        lambda params, **_: sent.append(json.loads(params["MessageBody"])),
    )

    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "processed"
    (message,) = sent
    assert (message["payment_id"], message["look"]) == (stored.payment_id, True)


def test_fc_44_an_answer_that_nobody_understands_leaves_the_event_to_come_again(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    process_payment(listening, Step(stored.payment_id), 1)
    inbox_id = receive(listening, stored.payment_id)

    class BrokenGateway(FakeGateway):
        def look_up(self, key: str) -> NotFound:
            raise UnmappedAnswerError("what?")

    listening.gateways["simulator"] = BrokenGateway()

    with pytest.raises(UnmappedAnswerError):
        process(listening, inbox_id)
    assert event(listening, inbox_id).state == "received"


@pytest.mark.parametrize("method", [Method.CARD, Method.OXXO])
def test_fc_44_an_event_whose_look_fails_to_the_last_makes_no_dead_letter_of_its_payment(
    listening: App, gateway: FakeGateway, clock: FakeClock, method: Method
) -> None:
    """A voucher that waits, and a payment in the middle of its doubt."""
    stored = store_payment(listening, method=method)
    if method is Method.CARD:
        listening.payments.claim(stored.payment_id, clock(), timedelta(0))
        clock.advance(1)
    else:
        process_payment(listening, Step(stored.payment_id), 1)
    before = payment(listening, stored.payment_id)
    inbox_id = receive(listening, stored.payment_id)

    class BrokenGateway(FakeGateway):
        def look_up(self, key: str) -> NotFound:
            raise UnmappedAnswerError("what?")

    listening.gateways["simulator"] = BrokenGateway()
    last = listening.config.payments_max_receives

    for receives in range(1, last + 1):
        with pytest.raises(UnmappedAnswerError):
            process_gateway_event(listening, InboxStep(inbox_id), receives)

    after = payment(listening, stored.payment_id)
    assert (after.attention, after.due_at) == (None, before.due_at)
    kept = event(listening, inbox_id)
    assert (kept.state, kept.done) == ("received", "psp_unmapped_status: what?")
    assert "due_pk" not in item(listening, inbox_id), "only an operator sends a dead letter back"

    listening.gateways["simulator"] = gateway
    process(listening, inbox_id)
    assert event(listening, inbox_id).state == "processed"


def late_refund(app: App) -> tuple[Payment, str]:
    """A completed payment with a refund that nobody has sent yet."""
    stored = store_payment(app)
    process_payment(app, Step(stored.payment_id), 1)
    refund_late_payment(app, payment(app, stored.payment_id))
    (refund,) = app.refunds.of_payment(stored.payment_id)
    return stored, refund.refund_id


def test_an_event_of_a_refund_leads_to_a_look_at_the_refund(
    listening: App, gateway: FakeGateway
) -> None:
    stored, refund_id = late_refund(listening)

    inbox_id = receive(
        listening, stored.payment_id, type="refund.succeeded", data={"refund_id": refund_id}
    )
    done = process(listening, inbox_id)

    assert done == "refund.succeeded: completed"
    refund = listening.refunds.get(stored.payment_id, refund_id)
    assert refund is not None
    assert refund.status == "completed"
    assert process_refund(listening, RefundStep(stored.payment_id, refund_id), 1).startswith(
        "nothing to do"
    )
    assert len(gateway.refunds_sent) == 1


@pytest.mark.parametrize(
    "body", [None, [], {}, {"inbox_id": "inb_x", "waits": "x"}, {"inbox_id": 1}]
)
def test_a_message_of_another_form_is_malformed(body: Any) -> None:
    with pytest.raises(MalformedMessageError):
        InboxStep.read(body)


def test_amounts_are_compared_by_the_step_and_not_by_the_event(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    other = Money(stored.amount.minor + 1, "MXN")
    gateway.answer = Charged(stored.payment_id, other, "ref", other)

    process(listening, receive(listening, stored.payment_id))

    assert payment(listening, stored.payment_id).status == Status.IN_REVIEW
