"""What DynamoDB's failures mean. Nothing here conflicts by itself, so the answers are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, ConnectTimeoutError

from riel.errors import StoreUnavailableError
from riel.store import dynamodb
from riel.store.dynamodb import ConditionFailedError, call
from tests.builders import make_app


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


def test_fc_65_each_try_of_ours_has_a_token_of_its_own_and_only_the_sdks_retry_shares_it() -> None:
    """A token that came again with other contents, or after ten minutes, would be a defect."""
    conflict = {"__type": "TransactionCanceledException", "CancellationReasons": [
        {"Code": "TransactionConflict"}
    ]}  # fmt: skip
    answers = iter([(500, {}), (400, conflict), (200, {})])
    tokens: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        tokens.append(json.loads(request.body)["ClientRequestToken"])
        status, body = next(answers)
        return AWSResponse(request.url, status, HTTPHeaders(), Raw(json.dumps(body).encode()))

    client = make_app().dynamodb
    events: Any = client.meta.events
    events.register_first("before-send.dynamodb.TransactWriteItems", answer)
    dynamodb.transact(client, [{"Delete": {"TableName": "t", "Key": {"pk": {"S": "x"}}}}])

    first, retried, own = tokens
    assert first == retried != own


class Raw(BytesIO):
    """A body as botocore reads one."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


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


def test_fc_66_a_transaction_that_is_still_running_is_tried_again_later() -> None:
    run, calls = operation(failure("TransactionInProgressException"))

    with pytest.raises(StoreUnavailableError):
        call(run)
    assert len(calls) == 1, "the SDK has tried before; now the message or the merchant comes again"


@pytest.mark.parametrize(
    "error",
    [
        failure("IdempotentParameterMismatchException"),
        failure("ValidationException"),
        canceled("ValidationError"),
    ],
)
def test_fc_66_a_defect_stays_a_defect(error: ClientError) -> None:
    run, calls = operation(error)

    with pytest.raises(ClientError):
        call(run)
    assert len(calls) == 1
