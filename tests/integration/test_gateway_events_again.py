"""Events that one look does not settle: looked into again, brought back, or read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Method, Payment
from riel.errors import InvalidStateError, StoreUnavailableError
from riel.gateways.base import Declined
from riel.gateways.simulator_events import read_event
from riel.services.process_gateway_event import InboxStep, process_gateway_event
from riel.services.process_payment import process_payment
from riel.services.receive_gateway_event import receive_gateway_event
from riel.services.retry_gateway_event import retry_gateway_event
from riel.services.steps import Step
from riel.services.sweep import sweep
from riel.store.inbox import State
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.gateway_events import event_body, sign
from tests.integration.inbox import counted, drain, event, item, payment, process, receive

HOUR = 3600
Copies = list[tuple[dict[str, Any], int]]


def expired_voucher(app: App, clock: FakeClock) -> Payment:
    stored = store_payment(app, method=Method.OXXO)
    process_payment(app, Step(stored.payment_id), 1)
    clock.now = payment(app, stored.payment_id).due_at or clock.now
    assert process_payment(app, Step(stored.payment_id, look=True), 1) == "expired"
    return stored


def test_fc_53_an_event_that_was_stored_and_not_sent_is_brought_by_the_sweeper(
    listening: App, clock: FakeClock, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PSP gives up after two tries, and what it told of must not be lost."""
    stored = expired_voucher(listening, clock)
    body = event_body(stored.payment_id, "evt_late", type="charge.paid")

    def down(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("SQS is down")

    # The model's SQS never fails.
    monkeypatch.setattr(listening.gateway_events_queue, "send", down)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            receive_gateway_event(listening, "simulator", sign(body, at=clock()), body)
    monkeypatch.undo()
    inbox_id = ids.inbox_id("simulator", "evt_late")
    sweep(listening, 30)
    assert drained(listening) == [], "its own message may be on its way still"

    clock.advance(5 * 60)
    sweep(listening, 30)

    assert [message["inbox_id"] for message in drained(listening)] == [inbox_id]


def test_what_was_settled_is_due_no_more(listening: App, clock: FakeClock) -> None:
    stored = store_payment(listening)
    inbox_id = receive(listening, stored.payment_id)
    assert item(listening, inbox_id)["due_sk"]["S"].startswith("2026-04-17T12:05:00.000Z")

    process(listening, inbox_id)

    assert {"due_pk", "due_sk"}.isdisjoint(item(listening, inbox_id))


def test_an_event_whose_worker_dies_at_its_last_receive_is_left_to_the_dead_letter_queue(
    listening: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_id = receive(listening, store_payment(listening).payment_id)

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(listening.payments, "claim", killed)
    with pytest.raises(Killed):
        process_gateway_event(
            listening, InboxStep(inbox_id), listening.config.payments_max_receives
        )
    clock.advance(HOUR)
    sweep(listening, 30)

    assert event(listening, inbox_id).state == "received"
    assert inbox_id not in {message.get("inbox_id") for message in drained(listening)}


def drained(app: App) -> list[dict[str, Any]]:
    received = app.gateway_events_queue.receive(0)
    for message in received:
        app.gateway_events_queue.delete(message.receipt)
    return [json.loads(message.body) for message in received]


def test_an_event_ahead_of_the_psps_own_look_up_is_looked_into_again(
    listening: App, gateway: FakeGateway, clock: FakeClock, copies: Copies
) -> None:
    stored = expired_voucher(listening, clock)
    inbox_id = receive(listening, stored.payment_id, type="charge.paid")
    copies.clear()

    assert process(listening, inbox_id) == "again in 5 s: charge.paid: expired: nothing new"
    assert event(listening, inbox_id).state == "received"
    assert [delay for _, delay in copies] == [5]

    clock.advance(5)
    gateway.pay(stored.payment_id, stored.amount.minor)
    assert process(listening, inbox_id, waits=1) == "charge.paid: completed"
    assert event(listening, inbox_id).state == "processed"


def test_a_voucher_is_looked_at_again_long_before_its_end_when_an_event_is_ahead(
    listening: App, gateway: FakeGateway, clock: FakeClock
) -> None:
    stored = store_payment(listening, method=Method.OXXO)
    process_payment(listening, Step(stored.payment_id), 1)
    clock.advance(HOUR)
    paid_at = "2026-04-17T12:59:59.000Z"
    inbox_id = receive(listening, stored.payment_id, type="charge.paid", created_at=paid_at)

    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "received"


def test_longer_turns_stand_in_the_index_and_at_their_end_the_event_is_done_with(
    listening: App, clock: FakeClock, copies: Copies
) -> None:
    schedule = (60, 300, HOUR)
    listening.config = replace(listening.config, unmatched_event_seconds=schedule)
    stored = expired_voucher(listening, clock)
    inbox_id = receive(listening, stored.payment_id, type="charge.paid")
    copies.clear()

    for seconds in schedule:
        process(listening, inbox_id)
        due_at = clock() + timedelta(seconds=seconds)
        assert item(listening, inbox_id)["due_sk"]["S"].startswith(f"{due_at:%Y-%m-%dT%H:%M:%S}")
        assert event(listening, inbox_id).done == "charge.paid: expired: nothing new"
        clock.advance(seconds)

    process(listening, inbox_id)
    assert event(listening, inbox_id).state == "processed"
    assert "due_pk" not in item(listening, inbox_id)
    assert copies == []


def completed(app: App, gateway: FakeGateway, _: FakeClock) -> Payment:
    stored = store_payment(app)
    process_payment(app, Step(stored.payment_id), 1)
    return stored


def declined(app: App, gateway: FakeGateway, _: FakeClock) -> Payment:
    stored = store_payment(app)
    gateway.answer = Declined(stored.payment_id, stored.amount, "card_declined", "Declined.")
    process_payment(app, Step(stored.payment_id), 1)
    return stored


def fresh_voucher(app: App, gateway: FakeGateway, _: FakeClock) -> Payment:
    stored = store_payment(app, method=Method.OXXO)
    process_payment(app, Step(stored.payment_id), 1)
    return stored


def under_way(app: App, gateway: FakeGateway, clock: FakeClock) -> Payment:
    stored = store_payment(app)
    app.payments.claim(stored.payment_id, clock(), timedelta(0))
    clock.advance(1)
    return stored


@pytest.mark.parametrize("make", [completed, declined, fresh_voucher, under_way])
def test_an_event_that_says_what_is_known_is_done_with_at_once(
    listening: App,
    gateway: FakeGateway,
    clock: FakeClock,
    make: Callable[[App, FakeGateway, FakeClock], Payment],
) -> None:
    """The common ones: each further look would be paid for, and show nothing."""
    stored = make(listening, gateway, clock)
    inbox_id = receive(listening, stored.payment_id)

    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "processed"


def test_an_event_about_money_that_names_no_payment_is_kept_for_a_person(listening: App) -> None:
    inbox_id = receive(listening, "", type="deposit.unmatched", data={"amount": 10_050})

    for _ in range(2):
        process(listening, inbox_id)

    assert event(listening, inbox_id).state == "unmatched"
    assert "expires_at" not in item(listening, inbox_id)
    listed = listening.inbox.needing_a_person(State.UNMATCHED, 10)
    assert [found.inbox_id for found in listed] == [inbox_id]
    assert (counted("GatewayEventUnmatched"), counted("GatewayEventUnmatchedOld")) == (1, 1)


def unreadable(app: App, clock: FakeClock, payment_id: str) -> str:
    body = event_body(payment_id, "evt_1", livemode="test")
    receive_gateway_event(app, "simulator", sign(body, at=clock()), body)
    return ids.inbox_id("simulator", f"unreadable-{hashlib.sha256(body).hexdigest()}")


def mend(app: App) -> None:
    """Deploy an adapter that knows the PSP's new format."""
    app.__dict__["kept_event_readers"] = {
        "simulator": lambda headers, body: read_event(headers, body.replace(b'"test"', b"false"))
    }


def test_fc_55_an_event_that_could_not_be_read_is_read_by_a_mended_adapter_and_goes_on(
    listening: App, clock: FakeClock
) -> None:
    stored = store_payment(listening)
    inbox_id = unreadable(listening, clock, stored.payment_id)
    drain(listening)
    mend(listening)
    clock.advance(HOUR)

    read = retry_gateway_event(listening, inbox_id)

    assert (read.state, read.payment_id, read.event_id) == ("received", stored.payment_id, "evt_1")
    assert [message["inbox_id"] for message in drained(listening)] == [inbox_id]
    assert read.body == event(listening, inbox_id).body
    assert process(listening, inbox_id) == "charge.succeeded: completed"
    assert listening.inbox.needing_a_person(State.UNREADABLE, 10) == []


def test_fc_55_an_event_that_can_not_be_read_yet_stays_as_it_is(
    listening: App, clock: FakeClock
) -> None:
    inbox_id = unreadable(listening, clock, "pay_x")
    before = event(listening, inbox_id)

    with pytest.raises(InvalidStateError, match="unreadable still"):
        retry_gateway_event(listening, inbox_id)

    assert event(listening, inbox_id) == before
    assert drained(listening) == []
