"""What Lambda does with a batch of a stream after each invocation: decisions without any I/O.

Follows the documentation of event source mappings for DynamoDB streams:

- Records are done only when the function has succeeded with them (checkpoint after success).
- With `ReportBatchItemFailures` the failed record with the lowest sequence number is the
  checkpoint: what comes before it is done, it and all that follows is delivered again.
- With `BisectBatchOnFunctionError` a failed batch is split in two, and splitting does not
  consume the retry quota; together with partial failures the split is at the checkpoint.
- A batch that has used its retries, or a record older than the limit, is discarded, and its
  position (not its data) goes to the on-failure destination. What follows flows on.

One case is not documented: bisecting while the function reports the *first* record as failed.
A split at that point would change nothing and in the end discard the good records with the bad
one, so the batch is halved, as it is when the function raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from infra.local.event_filter import Pattern, patterns_of

Record = Mapping[str, Any]

RETRIES_EXHAUSTED: Final = "RetryAttemptsExhausted"
RECORD_TOO_OLD: Final = "RecordAgeExceeded"
_UNLIMITED: Final = -1


@dataclass(frozen=True)
class StreamSettings:
    """The settings of a deployed stream mapping, as Lambda's API names and defaults them."""

    batch_size: int = 100
    window_seconds: float = 0
    bisects: bool = False
    maximum_retries: int = _UNLIMITED
    maximum_age_seconds: int = _UNLIMITED
    partial_failures: bool = False
    starting_position: str = "LATEST"
    on_failure_arn: str = ""
    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> StreamSettings:
        """Read them from an answer of GetEventSourceMapping."""
        destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
        return cls(
            batch_size=int(mapping.get("BatchSize") or 100),
            window_seconds=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            bisects=bool(mapping.get("BisectBatchOnFunctionError")),
            maximum_retries=_limit(mapping, "MaximumRetryAttempts"),
            maximum_age_seconds=_limit(mapping, "MaximumRecordAgeInSeconds"),
            partial_failures="ReportBatchItemFailures"
            in (mapping.get("FunctionResponseTypes") or []),
            starting_position=str(mapping.get("StartingPosition") or "LATEST"),
            on_failure_arn=str(destination.get("Destination") or ""),
            patterns=patterns_of(mapping.get("FilterCriteria")),
        )


@dataclass(frozen=True)
class Batch:
    """Records that are delivered in one invocation, and how often that was tried."""

    records: tuple[Record, ...]
    retries: int = 0
    invocations: int = 0


@dataclass(frozen=True)
class Succeeded:
    """The function took every record of the batch."""


@dataclass(frozen=True)
class Failed:
    """The function raised, ran out of time, or answered what Lambda takes for a failure."""

    function_error: str = ""


@dataclass(frozen=True)
class PartlyFailed:
    """The function named failed records; the first of them is at this index of the batch."""

    first_failed: int


@dataclass(frozen=True)
class NotInvoked:
    """The function did not run (throttled, engine busy); that is not an attempt."""


Outcome = Succeeded | Failed | PartlyFailed | NotInvoked


@dataclass(frozen=True)
class Discarded:
    """A batch that is given up: its position goes to the on-failure destination."""

    batch: Batch
    condition: str
    function_error: str = ""


@dataclass(frozen=True)
class Decision:
    """What comes next: deliver `next_batches` in this order, before anything newer."""

    next_batches: tuple[Batch, ...] = ()
    discarded: Discarded | None = None


def interpret(answer: Any, batch: Batch, settings: StreamSettings) -> Outcome:
    """Return which records of the batch failed, as the function's answer says.

    No list, an empty list and null mean success. An entry without a usable `itemIdentifier`
    makes the whole batch fail: nothing is lost by delivering it again.
    """
    if not settings.partial_failures or answer is None:
        return Succeeded()
    if not isinstance(answer, Mapping):
        return Failed()
    failures = answer.get("batchItemFailures") or []
    numbers = [sequence_number(record) for record in batch.records]
    try:
        failed = [numbers.index(entry["itemIdentifier"]) for entry in failures]
    except (KeyError, TypeError, ValueError):
        return Failed()
    return PartlyFailed(min(failed)) if failed else Succeeded()


def decide(batch: Batch, outcome: Outcome, settings: StreamSettings) -> Decision:
    """Return what happens to a batch after an invocation with this outcome."""
    if isinstance(outcome, Succeeded):
        return Decision()
    if isinstance(outcome, NotInvoked):
        return Decision((batch,))
    tried = replace(batch, invocations=batch.invocations + 1)
    if isinstance(outcome, PartlyFailed) and outcome.first_failed > 0:
        rest = replace(tried, records=tried.records[outcome.first_failed :])
        return Decision((rest,)) if settings.bisects else _retry(rest, "", settings)
    if settings.bisects and len(batch.records) > 1:
        middle = len(batch.records) // 2
        halves = (tried.records[:middle], tried.records[middle:])
        return Decision(tuple(Batch(half, invocations=tried.invocations) for half in halves))
    error = outcome.function_error if isinstance(outcome, Failed) else ""
    return _retry(tried, error, settings)


def split_expired(
    batch: Batch, now: float, settings: StreamSettings
) -> tuple[Discarded | None, Batch | None]:
    """Take the records that are too old off the front; return them and what is left."""
    if settings.maximum_age_seconds == _UNLIMITED:
        return None, batch
    limit = now - settings.maximum_age_seconds
    fresh = next((i for i, r in enumerate(batch.records) if written_at(r) >= limit), None)
    if fresh == 0:
        return None, batch
    expired = replace(batch, records=batch.records[:fresh])
    rest = None if fresh is None else replace(batch, records=batch.records[fresh:])
    return Discarded(expired, RECORD_TOO_OLD), rest


def sequence_number(record: Record) -> str:
    """Return a record's place in its shard."""
    return str(record["dynamodb"]["SequenceNumber"])


def written_at(record: Record) -> float:
    """Return when a record was written, in seconds since the epoch."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def _retry(batch: Batch, function_error: str, settings: StreamSettings) -> Decision:
    if settings.maximum_retries != _UNLIMITED and batch.retries >= settings.maximum_retries:
        return Decision(discarded=Discarded(batch, RETRIES_EXHAUSTED, function_error))
    return Decision((replace(batch, retries=batch.retries + 1),))


def _limit(mapping: Mapping[str, Any], name: str) -> int:
    value = mapping.get(name)
    return _UNLIMITED if value is None else int(value)
