"""Laws of the state machine, over any sequence of changes."""

from __future__ import annotations

import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from riel.domain.payment import (
    FINAL,
    TRANSITIONS,
    Applied,
    Change,
    Ignored,
    Payment,
    Status,
    apply,
)
from tests.builders import NOON, make_payment

STATUSES = st.lists(st.sampled_from(Status), max_size=12)
LATE_EDGES = {(Status.EXPIRED, Status.COMPLETED), (Status.CANCELED, Status.COMPLETED)}


def run(statuses: list[Status]) -> tuple[Payment, list[Applied | Ignored]]:
    """Wish for each status in turn, a second apart."""
    payment = make_payment()
    results: list[Applied | Ignored] = []
    for n, status in enumerate(statuses, start=1):
        result = apply(payment, Change(status, NOON + timedelta(seconds=n), f"wish {n}"))
        payment = result.payment if isinstance(result, Applied) else payment
        results.append(result)
    return payment, results


@given(STATUSES)
def test_no_sequence_of_changes_leaves_the_table(statuses: list[Status]) -> None:
    payment, _ = run(statuses)

    lines = [line.status for line in payment.history]
    assert lines[0] == Status.PENDING
    assert all(after in TRANSITIONS[before] for before, after in itertools.pairwise(lines))


@given(STATUSES)
def test_the_history_is_gapless_and_its_last_line_is_the_status(statuses: list[Status]) -> None:
    payment, results = run(statuses)

    assert [line.sequence for line in payment.history] == list(range(1, len(payment.history) + 1))
    assert payment.status == payment.history[-1].status
    assert payment.sequence == 1 + sum(isinstance(result, Applied) for result in results)


@given(STATUSES)
def test_the_history_replays_to_the_same_payment(statuses: list[Status]) -> None:
    payment, _ = run(statuses)
    again = make_payment()
    for line in payment.history[1:]:
        result = apply(again, Change(line.status, line.at, line.cause, line.note))
        assert isinstance(result, Applied)
        again = result.payment

    assert again == payment


@given(STATUSES, st.sampled_from(Status))
def test_a_final_state_is_left_by_the_late_edges_alone(
    statuses: list[Status], wish: Status
) -> None:
    payment, _ = run(statuses)
    result = apply(payment, Change(wish, NOON, "late"))

    if payment.status in FINAL and (payment.status, wish) not in LATE_EDGES:
        assert isinstance(result, Ignored)
        assert str(payment.status) in result.reason


@given(STATUSES)
def test_every_change_twice_is_every_change_once(statuses: list[Status]) -> None:
    once, _ = run(statuses)
    twice, _ = run([status for status in statuses for _ in range(2)])

    assert [line.status for line in twice.history] == [line.status for line in once.history]


@given(STATUSES)
def test_what_is_ignored_changes_nothing(statuses: list[Status]) -> None:
    payment, results = run(statuses)
    kept = [s for s, result in zip(statuses, results, strict=True) if isinstance(result, Applied)]

    assert [line.status for line in payment.history[1:]] == kept
