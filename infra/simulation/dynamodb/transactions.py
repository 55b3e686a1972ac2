"""Transactions: all actions or none, and only once under one token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.storage import Storage
from infra.simulation.dynamodb.values import item_bytes
from infra.simulation.dynamodb.writes import CHECK, DELETE, PUT, UPDATE, Action, judge, read_action
from infra.simulation.transport import ServiceError

MAX_ACTIONS = 100
MAX_BYTES = 4 * 1024 * 1024
TOKEN_SECONDS = 600
_PARAMETERS = {
    PUT: frozenset({"Item"}),
    DELETE: frozenset({"Key"}),
    CHECK: frozenset({"Key"}),
    UPDATE: frozenset({"Key", "UpdateExpression"}),
}
_OF_ALL = frozenset(
    {
        "TableName",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    }
)


class Transactions:
    """TransactWriteItems, and the tokens of those that were done."""

    def __init__(self) -> None:
        self._done: dict[str, tuple[float, str]] = {}

    def write(self, storage: Storage, request: Mapping[str, Any]) -> dict[str, Any]:
        """TransactWriteItems."""
        wanted = request["TransactItems"]
        if not 0 < len(wanted) <= MAX_ACTIONS:
            raise validation(f"Member must have length between 1 and {MAX_ACTIONS}")
        token = request.get("ClientRequestToken")
        content = json.dumps(wanted, sort_keys=True) if token else ""
        if token and self._is_repeat(token, content, storage.now()):
            return {}
        self._do(storage, list(_read(storage, wanted)))
        if token:
            self._done[token] = storage.now(), content
        return {}

    def _is_repeat(self, token: str, content: str, now: float) -> bool:
        done_at, known = self._done.get(token, (-TOKEN_SECONDS, ""))
        if now - done_at >= TOKEN_SECONDS:
            self._done.pop(token, None)
            return False
        if known != content:
            raise ServiceError(
                "IdempotentParameterMismatchException",
                "Request token already in use for another request with a different payload",
            )
        return True

    def _do(self, storage: Storage, actions: list[Action]) -> None:
        places = {(action.table.spec.name, action.key) for action in actions}
        if len(places) < len(actions):
            raise validation("Transaction request cannot include multiple operations on one item")
        judged = [judge(action) for action in actions]
        reasons = [reason for reason, _ in judged]
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            raise ServiceError(
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons"
                f" [{codes}]",
                CancellationReasons=reasons,
            )
        # Only what comes near the limit of all is measured: one item has a tenth of it at most.
        if len(judged) > 10 and sum(item_bytes(new or {}) for _, new in judged) > MAX_BYTES:
            raise validation("Transaction request exceeds the 4MB transaction size limit")
        for action, (_, new) in zip(actions, judged, strict=True):
            if action.kind != CHECK:
                storage.write(action.table, action.key, new)


def _read(storage: Storage, wanted: list[Mapping[str, Any]]) -> Iterator[Action]:
    for one in wanted:
        if len(one) != 1:
            raise validation("TransactItems can only contain one of Check, Put, Update or Delete")
        ((kind, request),) = one.items()
        if kind not in _PARAMETERS or request.keys() - (_PARAMETERS[kind] | _OF_ALL):
            raise NotImplementedError(f"the model of DynamoDB has no such action: {kind} {request}")
        if kind == CHECK and "ConditionExpression" not in request:
            raise validation("The ConditionCheck has no ConditionExpression")
        yield read_action(storage, kind, request)
