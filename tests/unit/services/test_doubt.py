"""Send again, wait, or ask a person: every reason of the decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel.domain.instants import epoch_milliseconds
from riel.domain.payment import Payment, Status, Transition
from riel.gateways.registry import CAPABILITIES
from riel.services import doubt
from riel.services.doubt import Early, GiveUp, Send, Wait
from tests.builders import NOON, make_payment

CAN = replace(CAPABILITIES["simulator"], longest_request_seconds=10, key_life_seconds=86_400)
SCHEDULE = (5, 15, 300)
CLAIMED = (
    Transition(1, Status.PENDING, NOON, "created"),
    Transition(2, Status.PROCESSING, NOON, "claimed"),
)


def in_doubt(quiet_since: float = 0, **fields: Any) -> Payment:
    """A payment that may have been sent until so many seconds after noon."""
    quiet_ms = epoch_milliseconds(NOON) + round(quiet_since * 1000)
    return replace(make_payment(history=CLAIMED), quiet_since_ms=quiet_ms, **fields)


def decide(payment: Payment, seconds: float) -> object:
    """The decision so many seconds after noon."""
    return doubt.after_not_found(payment, CAN, SCHEDULE, NOON + timedelta(seconds=seconds))


def test_fc_32_not_found_is_proof_only_when_no_request_can_be_under_way() -> None:
    assert isinstance(decide(in_doubt(), 9.999), Wait)
    assert decide(in_doubt(), 10) == Send()
    assert isinstance(decide(in_doubt(quiet_since=3), 12.9), Wait)


def test_fc_35_a_key_that_the_psp_may_have_forgotten_is_never_sent_again() -> None:
    margin = doubt.KEY_LIFE_MARGIN.total_seconds()

    assert decide(in_doubt(), 86_400 - margin - 1) == Send()
    assert decide(in_doubt(), 86_400 - margin) == GiveUp("idempotency_window_passed")


def test_after_two_lost_answers_nothing_is_sent_but_looked_for_by_the_schedule() -> None:
    payment = in_doubt(unknown_outcomes=doubt.MAX_SENDS)

    waits = []
    seconds = 60.0
    while isinstance(decision := decide(payment, seconds), Wait):
        waits.append(decision.seconds)
        payment, seconds = decision.item, seconds + decision.seconds

    assert waits == [5, 15, 300]
    assert decision == GiveUp("outcome_unknown")


def test_a_repeat_before_its_time_uses_up_nothing() -> None:
    waiting = doubt.after_lost_answer(in_doubt(), NOON, SCHEDULE, NOON)

    assert decide(waiting.item, 3) == Early()
    assert isinstance(decide(waiting.item, 4.5), Wait), "a copy may come a little early"


@pytest.mark.parametrize(("look_ups", "seconds"), [(0, 5), (2, 300), (3, 300), (9, 300)])
def test_what_was_sent_is_looked_for_once_more_whatever_the_schedule(
    look_ups: int, seconds: int
) -> None:
    lost = doubt.after_lost_answer(in_doubt(look_ups=look_ups), NOON, SCHEDULE, NOON)

    assert lost.seconds == seconds
    assert lost.item.unknown_outcomes == 1


def test_a_short_wait_costs_no_write_in_the_index_and_a_long_one_stands_there() -> None:
    short = doubt.waiting(in_doubt(), 59, NOON)
    long = doubt.waiting(in_doubt(), 60, NOON)

    assert short.due_at is None
    assert long.due_at == NOON + timedelta(seconds=60)


def test_what_the_index_brought_too_early_goes_back_to_its_time() -> None:
    long = doubt.waiting(in_doubt(), 3600, NOON)
    moved = replace(long, due_at=NOON + timedelta(seconds=5))

    assert doubt.as_scheduled(moved).due_at == NOON + timedelta(hours=1)
    assert doubt.as_scheduled(doubt.waiting(in_doubt(), 5, NOON)).due_at is None
