"""Events of payments that nobody here knows: kept, tried again, told of, and never dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Status
from riel.services.process_payment import process_payment
from riel.services.steps import Step
from riel.store.inbox import State
from tests.builders import FakeClock, FakeGateway, make_payment, store_payment
from tests.integration.inbox import TRACE, counted, event, item, payment, process, receive

HOUR = 3600


def test_fc_52_an_event_before_our_own_write_waits_and_then_settles_the_payment(
    listening: App, copies: list[tuple[dict[str, Any], int]]
) -> None:
    early = make_payment()
    inbox_id = receive(listening, early.payment_id)
    copies.clear()

    assert process(listening, inbox_id) == "again in 5 s: unmatched"
    assert copies == [({"inbox_id": inbox_id, "waits": 1, "traceparent": TRACE}, 5)]
    assert event(listening, inbox_id).state == "unmatched"
    assert counted("GatewayEventUnmatched") == 1

    store_payment(listening)
    assert process(listening, inbox_id, waits=1) == "charge.succeeded: completed"
    assert event(listening, inbox_id).state == "processed"
    assert payment(listening, early.payment_id).status == Status.COMPLETED


def test_fc_52_longer_waits_stand_in_the_index_of_what_is_due_and_the_alarm_comes_after_an_hour(
    listening: App, clock: FakeClock, copies: list[tuple[dict[str, Any], int]]
) -> None:
    schedule = (60, 300, HOUR, 6 * HOUR)
    listening.config = replace(listening.config, unmatched_event_seconds=schedule)
    inbox_id = receive(listening, make_payment().payment_id)
    copies.clear()

    for seconds, old in zip(schedule, (0, 0, 0, 1), strict=True):
        assert process(listening, inbox_id) == f"unmatched: due in {seconds} s"
        assert counted("GatewayEventUnmatchedOld") == old
        due_at = clock() + timedelta(seconds=seconds)
        due = item(listening, inbox_id)["due_sk"]["S"]
        assert due == f"{due_at:%Y-%m-%dT%H:%M:%S}.000Z#gateway-events#{inbox_id}"
        clock.advance(seconds)

    assert copies == []
    assert process(listening, inbox_id) == "unmatched: waits for a person"
    assert event(listening, inbox_id).state == "unmatched"
    assert "expires_at" not in item(listening, inbox_id), "what nobody could place is never dropped"
    assert counted("GatewayEventUnmatched") == 1
    assert counted("GatewayEventUnmatchedOld") == 2


def test_fc_52_at_the_end_of_a_short_schedule_the_alarm_comes_too(
    listening: App, clock: FakeClock
) -> None:
    inbox_id = receive(listening, make_payment().payment_id)
    process(listening, inbox_id)
    assert counted("GatewayEventUnmatchedOld") == 0

    clock.advance(sum(listening.config.unmatched_event_seconds))

    assert process(listening, inbox_id) == "unmatched: waits for a person"
    assert counted("GatewayEventUnmatchedOld") == 1


def test_fc_52_an_event_that_comes_again_uses_up_no_turn_and_is_matched_even_after_the_last(
    listening: App, clock: FakeClock, copies: list[tuple[dict[str, Any], int]]
) -> None:
    early = make_payment()
    inbox_id = receive(listening, early.payment_id)
    for _ in range(10):
        assert process(listening, inbox_id) == "again in 5 s: unmatched"
    clock.advance(HOUR)
    process(listening, inbox_id)

    store_payment(listening)
    copies.clear()
    receive(listening, early.payment_id)
    assert [message["inbox_id"] for message, _ in copies] == [inbox_id]

    process(listening, inbox_id)
    assert event(listening, inbox_id).state == "processed"
    assert "due_pk" not in item(listening, inbox_id)
    assert "expires_at" in item(listening, inbox_id)


@pytest.mark.parametrize("payment_id", ["pay_", "someone-elses", "pay_" + "x" * 5_000, "evt_a"])
def test_fc_52_an_id_that_can_be_no_payment_of_ours_is_unmatched_too(
    listening: App, payment_id: str
) -> None:
    inbox_id = receive(listening, payment_id)

    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "unmatched"


def test_an_event_of_a_refund_that_we_do_not_know_is_unmatched(
    listening: App, gateway: FakeGateway
) -> None:
    stored = store_payment(listening)
    process_payment(listening, Step(stored.payment_id), 1)
    unknown = ids.refund_id("demo", False, stored.payment_id, "made at the PSP")

    inbox_id = receive(listening, stored.payment_id, data={"refund_id": unknown})
    process(listening, inbox_id)

    assert event(listening, inbox_id).state == "unmatched"


def test_what_needs_a_person_can_be_listed_by_what_became_of_it(
    listening: App, clock: FakeClock
) -> None:
    stored = store_payment(listening)
    foreign = receive(listening, stored.payment_id, gateway="standby")
    unmatched = [receive(listening, f"pay_{n}", f"evt_{n}") for n in range(3)]
    process(listening, foreign)
    for inbox_id in unmatched:
        process(listening, inbox_id)
    listed = listening.inbox.needing_a_person

    assert [found.inbox_id for found in listed(State.FOREIGN, 10)] == [foreign]
    assert listed(State.UNMATCHED, 10) == [], "their turns are not over"

    clock.advance(HOUR)
    for inbox_id in unmatched:
        process(listening, inbox_id)

    assert {found.inbox_id for found in listed(State.UNMATCHED, 10)} == set(unmatched)
    assert len(listed(State.UNMATCHED, 2)) == 2
