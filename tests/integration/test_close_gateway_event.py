"""An operator closes an event that no code could settle."""

from __future__ import annotations

from datetime import timedelta

import pytest

from riel.app import App
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.close_gateway_event import close_gateway_event
from riel.services.retry_gateway_event import retry_gateway_event
from riel.store.inbox import State
from tests.builders import NOON, FakeClock, store_payment
from tests.integration.inbox import event, item, process, receive


@pytest.fixture
def foreign(listening: App) -> str:
    payment = store_payment(listening)
    inbox_id = receive(listening, payment.payment_id, livemode=True)
    assert process(listening, inbox_id) == "foreign: ignored"
    return inbox_id


def test_a_closed_event_is_off_the_list_and_says_who_and_why_and_what_it_was(
    listening: App, foreign: str
) -> None:
    closed = close_gateway_event(listening, foreign, "ana", " rotated the secret ")

    assert closed.state is State.CLOSED
    assert closed.done == (
        "closed by ana: rotated the secret; foreign: the payment is in test mode,"
        " the event in live mode"
    )
    assert listening.inbox.needing_a_person(State.FOREIGN, 10) == []
    assert "due_pk" not in item(listening, foreign)
    assert process(listening, foreign) == "nothing to do: closed"
    with pytest.raises(InvalidStateError, match="the event is closed"):
        retry_gateway_event(listening, foreign)


def test_an_unmatched_event_is_kept_for_90_days_from_when_it_was_closed(
    listening: App, clock: FakeClock
) -> None:
    inbox_id = receive(listening, "pay_" + "a" * 26)
    process(listening, inbox_id)
    assert event(listening, inbox_id).state is State.UNMATCHED
    clock.advance(200 * 86_400)

    close_gateway_event(listening, inbox_id, "ana", "another stage's")

    expected = NOON + timedelta(days=290)
    assert item(listening, inbox_id)["expires_at"] == {"N": str(int(expected.timestamp()))}


def test_only_what_waits_for_a_person_can_be_closed_and_only_with_a_reason(
    listening: App, foreign: str
) -> None:
    received = receive(listening, "pay_" + "a" * 26, "evt_2")

    with pytest.raises(InvalidStateError, match="the event is received"):
        close_gateway_event(listening, received, "ana", "x")
    with pytest.raises(NotFoundError):
        close_gateway_event(listening, "inb_x", "ana", "x")
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(InvalidRequestError):
            close_gateway_event(listening, foreign, "ana", reason)
