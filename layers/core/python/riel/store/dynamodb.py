"""What DynamoDB's failures mean, said once: a lost condition, a conflict, or `later`.

CancellationReasons of a transaction are positional; `TransactionConflict` is not retried by the
SDK, so it is retried here, a few times with jitter, and then becomes `unavailable`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from riel.errors import StoreUnavailableError
from riel.store.items import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MAX_CONFLICT_RETRIES = 4
CONFLICT_WAIT_SECONDS = 0.02
_LATER = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "LimitExceededException",
    }
)
T = TypeVar("T")


class ConditionFailedError(Exception):
    """A condition did not hold: `position` is the action's in its transaction (the first failed).

    `item` is what was there instead, or None if nothing was.
    """

    def __init__(self, position: int, item: Item | None) -> None:
        super().__init__(f"condition {position} failed")
        self.position = position
        self.item = item


class _ConflictError(Exception):
    """Another write touched one of our items at the same moment."""


def call(operation: Callable[..., T], **parameters: Any) -> T:
    """Call one DynamoDB operation, retrying conflicts, with the failures translated."""
    for attempt in range(MAX_CONFLICT_RETRIES + 1):
        try:
            return _once(operation, parameters)
        except _ConflictError as conflict:
            if attempt == MAX_CONFLICT_RETRIES:
                raise StoreUnavailableError("the item is contended") from conflict
            time.sleep(random.uniform(0, CONFLICT_WAIT_SECONDS * 2**attempt))
    raise AssertionError("unreachable")


def transact(dynamodb: DynamoDBClient, actions: list[dict[str, Any]]) -> None:
    """Write all actions or none. Raises ConditionFailedError for the first failed condition."""
    call(dynamodb.transact_write_items, TransactItems=actions)


def _once(operation: Callable[..., T], parameters: dict[str, Any]) -> T:
    try:
        return operation(**parameters)
    except (ClientError, BotoCoreError) as error:
        raise meaning_of(error) from error


def meaning_of(error: Exception) -> Exception:
    """Say what a failed call of DynamoDB means; what has no meaning here comes back as it is."""
    if isinstance(error, ClientError):
        return _translate(error)
    if isinstance(error, BotoCoreError):
        return StoreUnavailableError(type(error).__name__)
    return error


def _translate(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    answer: dict[str, Any] = dict(error.response)
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError(0, answer.get("Item"))
    if code == "TransactionConflictException":
        return _ConflictError()
    if code == "TransactionCanceledException":
        return _why_canceled(answer.get("CancellationReasons", []), error)
    return StoreUnavailableError(code) if code in _LATER else error


def _why_canceled(reasons: list[dict[str, Any]], error: ClientError) -> Exception:
    codes = [reason.get("Code", "None") for reason in reasons]
    # A failed condition is a fact; a conflict beside it would only hide it.
    for position, code in enumerate(codes):
        if code == "ConditionalCheckFailed":
            return ConditionFailedError(position, reasons[position].get("Item"))
    if "TransactionConflict" in codes:
        return _ConflictError()
    if {"ThrottlingError", "ProvisionedThroughputExceeded"} & set(codes):
        return StoreUnavailableError("throttled")
    return error
