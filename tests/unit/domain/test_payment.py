"""The transition table's laws."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.domain.payment import (
    FINAL,
    TRANSITIONS,
    Applied,
    Change,
    Failure,
    Ignored,
    Status,
    apply,
)
from tests.builders import NOON, make_payment

changes = st.lists(st.sampled_from(list(Status)), max_size=12)


@given(changes)
def test_no_sequence_of_changes_leaves_the_table(wished: list[Status]) -> None:
    payment = make_payment()

    for n, status in enumerate(wished):
        result = apply(payment, Change(status, NOON + timedelta(seconds=n), "test"))
        payment = result.payment if isinstance(result, Applied) else payment

    steps = [line.status for line in payment.history]
    assert steps[0] == Status.PENDING
    assert all(after in TRANSITIONS[before] for before, after in pairwise(steps))


@given(changes)
def test_sequence_numbers_have_no_gap_and_the_history_tells_the_status(
    wished: list[Status],
) -> None:
    payment = make_payment()

    for status in wished:
        result = apply(payment, Change(status, NOON, "test"))
        payment = result.payment if isinstance(result, Applied) else payment

    assert [line.sequence for line in payment.history] == list(range(1, len(payment.history) + 1))
    assert payment.status == payment.history[-1].status


@given(changes)
def test_a_repeat_changes_nothing(wished: list[Status]) -> None:
    payment = make_payment()

    for status in wished:
        result = apply(payment, Change(status, NOON, "test"))
        payment = result.payment if isinstance(result, Applied) else payment
        again = apply(payment, Change(payment.status, NOON, "test"))
        assert isinstance(again, Ignored)


def test_every_status_has_its_row_and_every_final_one_only_named_late_edges() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {status: TRANSITIONS[status] for status in FINAL} == {
        Status.COMPLETED: frozenset(),
        Status.FAILED: frozenset(),
        Status.EXPIRED: frozenset({Status.COMPLETED}),
        Status.CANCELED: frozenset({Status.COMPLETED}),
    }


@pytest.mark.parametrize("late", [Status.PENDING, Status.PROCESSING, Status.FAILED])
def test_a_completed_payment_absorbs_what_comes_late(late: Status) -> None:
    payment = make_payment()
    for status in (Status.PROCESSING, Status.COMPLETED):
        result = apply(payment, Change(status, NOON, "test"))
        assert isinstance(result, Applied)
        payment = result.payment

    result = apply(payment, Change(late, NOON, "late"))

    assert result == Ignored(f"no edge from completed to {late}")


def test_a_final_status_sets_the_time_of_processing_and_a_failure_says_why() -> None:
    processing = apply(make_payment(), Change(Status.PROCESSING, NOON, "claimed"))
    assert isinstance(processing, Applied)
    assert processing.payment.processed_at is None

    later = NOON + timedelta(seconds=3)
    failure = Failure("card_declined", "no")
    failed = apply(processing.payment, Change(Status.FAILED, later, "declined", failure=failure))

    assert isinstance(failed, Applied)
    assert failed.payment.processed_at == later
    assert failed.payment.failure == failure
