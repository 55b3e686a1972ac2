"""A batch whose work does not end: it is abandoned, and holds up nobody behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import Event, Semaphore, current_thread
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import BatchProcessor
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from riel.observability import metrics
from riel.services.batches import ANSWER_SECONDS, WIDTH, Batches
from tests.handlers import Context

PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def _own_metrics() -> Iterator[None]:
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


@pytest.fixture
def released() -> Iterator[Event]:
    """What hangs ends with the test."""
    event = Event()
    yield event
    event.set()


class _Ending(Context):
    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def ending(seconds: float) -> Any:
    """The context of a function that is cut off after so many seconds."""
    return _Ending(seconds)


def batch(*names: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": name, "body": json.dumps({"payment_id": name}), "attributes": {}}
            for name in names
        ]
    }


def failed(answer: dict[str, Any]) -> set[str]:
    return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}


def abandoned() -> float:
    values: list[float] = metrics.metric_set.get("MessageAbandoned", {}).get("Value", [])
    return sum(values)


def test_fc_45_what_never_ends_takes_no_thread_from_the_batches_behind_it(released: Event) -> None:
    done: list[str] = []

    def work(body: Any, _record: object) -> str:
        if body["payment_id"].startswith("hangs"):
            released.wait(PATIENCE_SECONDS)
        done.append(body["payment_id"])
        return "done"

    batches = Batches(work, seconds_needed=0.1)
    hanging = [f"hangs-{n}" for n in range(WIDTH)]

    first = batches.run(batch(*hanging), ending(ANSWER_SECONDS + 1))
    second = batches.run(batch("well-1", "well-2"), ending(PATIENCE_SECONDS))

    assert failed(first) == set(hanging)
    assert failed(second) == set()
    assert set(done) == {"well-1", "well-2"}
    assert abandoned() == len(hanging)


def test_what_fails_or_is_not_started_is_not_abandoned() -> None:
    def work(_body: Any, _record: object) -> str:
        raise TimeoutError("of its own")

    assert failed(Batches(work, seconds_needed=0.1).run(batch("a"), ending(60))) == {"a"}
    assert failed(Batches(work, seconds_needed=90).run(batch("b"), ending(60))) == {"b"}
    assert abandoned() == 0


def test_fc_45_all_are_begun_before_the_first_is_waited_for() -> None:
    all_others = Semaphore(0)

    def work(body: Any, _record: object) -> str:
        if body["payment_id"] != "first":
            all_others.release()
            return "done"
        for _ in range(WIDTH - 1):
            assert all_others.acquire(timeout=PATIENCE_SECONDS)
        return "done last"

    names = ["first", *(f"other-{n}" for n in range(WIDTH - 1))]
    answer = Batches(work, seconds_needed=0.1).run(batch(*names), ending(2 * PATIENCE_SECONDS))

    assert failed(answer) == set()


@pytest.mark.parametrize("failing", [0, 1])
def test_a_message_that_is_in_a_batch_twice_fails_when_either_does(failing: int) -> None:
    def work(_body: Any, record: Any) -> str:
        if record.receipt_handle == "fails":
            raise LookupError("one of the two")
        return "done"

    event = batch("twice", "twice")
    for n, record in enumerate(event["Records"]):
        record["receiptHandle"] = "fails" if n == failing else "well"

    assert failed(Batches(work, seconds_needed=0.1).run(event, ending(60))) == {"twice"}


def test_a_record_that_powertools_fails_by_itself_leaves_the_others_their_own_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = BatchProcessor._process_record

    # Nothing in an event of ours makes it do so today.
    def reading(self: BatchProcessor, record: dict[str, Any]) -> Any:
        if record["messageId"] != "unread":
            return real(self, record)
        error = ValueError("no record")
        return self.failure_handler(SQSRecord(record), (ValueError, error, None))

    monkeypatch.setattr(BatchProcessor, "_process_record", reading)

    def work(body: Any, _record: object) -> str:
        if body["payment_id"] == "undone":
            raise LookupError("of its own")
        return "done"

    answer = Batches(work, seconds_needed=0.1).run(batch("unread", "undone", "well"), ending(60))

    assert failed(answer) == {"unread", "undone"}


def test_threads_are_kept_from_batch_to_batch_while_all_is_well() -> None:
    names: set[str] = set()

    def work(_body: Any, _record: object) -> str:
        names.add(current_thread().name)
        return "done"

    batches = Batches(work, seconds_needed=0.1)
    for n in range(5):
        batches.run(batch(str(n)), ending(60))

    assert len(names) <= WIDTH
    assert len({name.rpartition("_")[0] for name in names}) == 1, "all of one pool"
