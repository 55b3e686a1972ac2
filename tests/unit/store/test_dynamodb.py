"""What DynamoDB's failures mean. The engine and moto never conflict, so the answers are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from riel.errors import StoreUnavailableError
from riel.store import dynamodb
from riel.store.dynamodb import ConditionFailedError, call


def failure(code: str, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": ""}, **more}
    return ClientError(response, "Any")


def canceled(*codes: str, item: dict[str, Any] | None = None) -> ClientError:
    reasons = [{"Code": code} | ({"Item": item} if item else {}) for code in codes]
    return failure("TransactionCanceledException", CancellationReasons=reasons)


def operation(*answers: Exception | dict[str, Any]) -> tuple[Callable[..., Any], list[int]]:
    calls: list[int] = []

    def run(**_: Any) -> Any:
        answer = answers[min(len(calls), len(answers) - 1)]
        calls.append(1)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return run, calls


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb, "CONFLICT_WAIT_SECONDS", 0)


@pytest.mark.parametrize(
    "conflict", [canceled("None", "TransactionConflict"), failure("TransactionConflictException")]
)
def test_fc_65_a_conflict_is_tried_again(conflict: ClientError) -> None:
    run, calls = operation(conflict, conflict, {"ok": True})

    assert call(run) == {"ok": True}
    assert len(calls) == 3


def test_fc_65_a_lasting_conflict_is_unavailable_not_a_conflict_with_the_merchant() -> None:
    run, calls = operation(canceled("TransactionConflict"))

    with pytest.raises(StoreUnavailableError):
        call(run)
    assert len(calls) == dynamodb.MAX_CONFLICT_RETRIES + 1


def test_a_failed_condition_brings_the_old_item_and_outranks_a_conflict_beside_it() -> None:
    run, calls = operation(
        canceled("TransactionConflict", "ConditionalCheckFailed", item={"pk": {"S": "x"}})
    )

    with pytest.raises(ConditionFailedError) as caught:
        call(run)
    assert caught.value.item == {"pk": {"S": "x"}}
    assert len(calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        failure("ProvisionedThroughputExceededException"),
        failure("ThrottlingException"),
        failure("InternalServerError"),
        canceled("None", "ThrottlingError"),
        canceled("ProvisionedThroughputExceeded"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_fc_64_what_passes_is_unavailable(error: Exception) -> None:
    run, _ = operation(error)

    with pytest.raises(StoreUnavailableError):
        call(run)


@pytest.mark.parametrize("error", [failure("ValidationException"), canceled("ValidationError")])
def test_fc_66_a_defect_stays_a_defect(error: ClientError) -> None:
    run, calls = operation(error)

    with pytest.raises(ClientError):
        call(run)
    assert len(calls) == 1
