"""What the stream poller does after each invocation, case by case, without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from infra.local.stream_decisions import (
    RECORD_TOO_OLD,
    RETRIES_EXHAUSTED,
    Batch,
    Decision,
    Discarded,
    Failed,
    NotInvoked,
    Outcome,
    PartlyFailed,
    Record,
    StreamSettings,
    Succeeded,
    decide,
    interpret,
    sequence_number,
    split_expired,
)

BISECTING = StreamSettings(bisects=True, maximum_retries=2, partial_failures=True)
RETRYING = StreamSettings(bisects=False, maximum_retries=2, partial_failures=True)


def record(number: int, written_at: float = 0) -> Record:
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": written_at},
    }


def batch(*numbers: int, retries: int = 0) -> Batch:
    return Batch(tuple(record(number) for number in numbers), retries=retries)


def sequence_numbers(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(sequence_number(record) for record in records)


def numbers_of(decision: Decision) -> list[tuple[str, ...]]:
    return [sequence_numbers(b.records) for b in decision.next_batches]


def test_a_batch_that_succeeded_is_done() -> None:
    assert decide(batch(1, 2), Succeeded(), BISECTING) == Decision()


def test_a_throttled_batch_comes_again_and_counts_no_try() -> None:
    tried = batch(1, 2, retries=2)
    assert decide(tried, NotInvoked(), RETRYING) == Decision((tried,))


def test_a_failed_batch_is_halved_in_order_and_the_retry_quota_is_kept() -> None:
    decision = decide(batch(1, 2, 3, 4, 5), Failed("Unhandled"), BISECTING)
    assert numbers_of(decision) == [("1", "2"), ("3", "4", "5")]
    assert [b.retries for b in decision.next_batches] == [0, 0]


def test_a_failed_batch_is_retried_whole_where_the_mapping_does_not_bisect() -> None:
    decision = decide(batch(1, 2), Failed("Unhandled"), RETRYING)
    assert numbers_of(decision) == [("1", "2")]
    assert decision.next_batches[0].retries == 1


def test_a_batch_out_of_retries_is_discarded() -> None:
    decision = decide(batch(1, 2, retries=2), Failed("Unhandled"), RETRYING)
    assert decision.next_batches == ()
    assert decision.discarded is not None
    assert decision.discarded.condition == RETRIES_EXHAUSTED
    assert decision.discarded.function_error == "Unhandled"


def test_unlimited_retries_never_discard() -> None:
    settings = StreamSettings()
    decision = decide(batch(1, retries=10_000), Failed("Unhandled"), settings)
    assert decision.discarded is None


def test_the_lowest_failed_record_is_the_checkpoint() -> None:
    decision = decide(batch(1, 2, 3, 4), PartlyFailed(2), BISECTING)
    assert numbers_of(decision) == [("3", "4")]
    assert decision.next_batches[0].retries == 0


def test_without_bisecting_a_partial_failure_uses_a_retry() -> None:
    decision = decide(batch(1, 2, 3), PartlyFailed(1), RETRYING)
    assert numbers_of(decision) == [("2", "3")]
    assert decision.next_batches[0].retries == 1


def test_a_checkpoint_at_the_first_record_is_halved_like_a_failure() -> None:
    decision = decide(batch(1, 2, 3, 4), PartlyFailed(0), BISECTING)
    assert numbers_of(decision) == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (None, Succeeded()),
        ({}, Succeeded()),
        ({"batchItemFailures": None}, Succeeded()),
        ({"batchItemFailures": []}, Succeeded()),
        ({"batchItemFailures": [{"itemIdentifier": "3"}]}, PartlyFailed(2)),
        (
            {"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]},
            PartlyFailed(1),
        ),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, Failed()),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, Failed()),
        ({"batchItemFailures": [{"identifier": "2"}]}, Failed()),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, Failed()),
        ({"batchItemFailures": 7}, Failed()),
        ("done", Failed()),
    ],
)
def test_the_function_answer_is_read_as_lambda_documents_it(answer: Any, outcome: Outcome) -> None:
    assert interpret(answer, batch(1, 2, 3), BISECTING) == outcome


def test_the_answer_is_not_read_where_the_mapping_does_not_ask_for_it() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert interpret(answer, batch(1), StreamSettings()) == Succeeded()


@pytest.mark.parametrize("poison_names_itself", [True, False])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_fc_59_one_poison_record_is_isolated_and_the_others_are_delivered_in_order(
    size: int, poison_names_itself: bool
) -> None:
    for poison in {1, size // 2 + 1, size}:
        delivered, discarded, invocations = _run(size, poison, poison_names_itself)
        assert delivered == [str(n) for n in range(1, size + 1) if n != poison]
        assert [sequence_numbers(d.batch.records) for d in discarded] == [(str(poison),)]
        assert invocations <= 2 * size.bit_length() + BISECTING.maximum_retries + 2


def _run(size: int, poison: int, names_itself: bool) -> tuple[list[str], list[Discarded], int]:
    """Deliver batches as the poller does, to a function that fails on one record."""
    pending = [batch(*range(1, size + 1))]
    delivered: list[str] = []
    discarded: list[Discarded] = []
    invocations = 0
    while pending:
        current = pending.pop(0)
        invocations += 1
        numbers = [sequence_number(r) for r in current.records]
        outcome: Outcome = Succeeded()
        if str(poison) in numbers:
            place = numbers.index(str(poison))
            outcome = PartlyFailed(place) if names_itself else Failed("Unhandled")
            delivered += numbers[:place] if names_itself else []
        else:
            delivered += numbers
        decision = decide(current, outcome, BISECTING)
        discarded += [decision.discarded] if decision.discarded else []
        pending = [*decision.next_batches, *pending]
    return delivered, discarded, invocations


def test_records_older_than_the_limit_are_taken_off_the_front() -> None:
    settings = StreamSettings(maximum_age_seconds=60)
    old_and_new = Batch((record(1, 10), record(2, 30), record(3, 100)))
    discarded, rest = split_expired(old_and_new, now=100, settings=settings)
    assert discarded is not None
    assert discarded.condition == RECORD_TOO_OLD
    assert sequence_numbers(discarded.batch.records) == ("1", "2")
    assert rest is not None
    assert sequence_numbers(rest.records) == ("3",)


def test_a_batch_of_old_records_leaves_nothing() -> None:
    settings = StreamSettings(maximum_age_seconds=60)
    assert split_expired(Batch((record(1, 10),)), now=100, settings=settings)[1] is None


def test_without_an_age_limit_nothing_is_too_old() -> None:
    old = Batch((record(1, 0),))
    assert split_expired(old, now=1e9, settings=StreamSettings()) == (None, old)


def test_the_settings_are_those_of_the_deployed_mapping() -> None:
    settings = StreamSettings.from_mapping(
        {
            "BatchSize": 25,
            "MaximumBatchingWindowInSeconds": 1,
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 0,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "StartingPosition": "TRIM_HORIZON",
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:r:a:q"}},
            "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        }
    )
    assert settings == StreamSettings(
        batch_size=25,
        window_seconds=1,
        bisects=True,
        maximum_retries=0,
        maximum_age_seconds=-1,
        partial_failures=True,
        starting_position="TRIM_HORIZON",
        on_failure_arn="arn:aws:sqs:r:a:q",
        patterns=({"eventName": ["INSERT"]},),
    )
