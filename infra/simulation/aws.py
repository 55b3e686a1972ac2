"""The AWS of a run: each service's model behind one door, and how its callers see it fail."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ReadTimeoutError

from infra.simulation.dynamodb import DynamoDb
from infra.simulation.faults import Target
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel
from infra.simulation.points import NOTHING
from infra.simulation.sqs import Sqs
from infra.simulation.stream import KeptStream
from infra.simulation.transport import ServiceError
from riel.app import READ_TIMEOUT_SECONDS

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_ONGOING = "Transaction is ongoing for the item"
SIMULATOR_SECRET = "shared-by-both-sides-of-the-simulation"
_READS = frozenset(
    {
        "GetItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "GetQueueAttributes",
        "GetSecretValue",
        "GetShardIterator",
        "GetRecords",
        "Encrypt",
        "Decrypt",
    }
)


class Aws:
    """Answers every request of the run's clients."""

    def __init__(self, kernel: Kernel, gate: Gate, dynamodb: DynamoDb, sqs: Sqs) -> None:
        self._kernel = kernel
        self._gate = gate
        self.dynamodb = dynamodb
        self.sqs = sqs
        self.stream = KeptStream()

    def answer(self, service: str, operation: str, request: dict[str, Any]) -> Mapping[str, Any]:
        """Let a request through the gate to its model."""
        outside = Outside(
            target=Target(service),
            operation=operation,
            subject=_subject(operation, request),
            changes=operation not in _READS,
            patience_seconds=READ_TIMEOUT_SECONDS,
            lost=lambda: ReadTimeoutError(endpoint_url=service),
            refused=lambda: _throttled(service),
            conflicted=_conflict(operation, request),
            told=_told,
        )
        answer: Mapping[str, Any] = self._gate.make(
            outside, lambda: self._effect(service, operation, request)
        )
        return answer

    def _effect(self, service: str, operation: str, request: dict[str, Any]) -> Mapping[str, Any]:
        if service == Target.DYNAMODB:
            answer: Mapping[str, Any] = self.dynamodb.call(operation, request)
            return answer
        if service == Target.SQS:
            return self.sqs.call(operation, request)
        if service == Target.STREAM:
            return self.stream.call(operation, request)
        if service == Target.KMS:
            return _kms(operation, request)
        return _secret(operation, self._kernel.start)


def _kms(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Seal as JSON: what matters here is that a text opens in its own context alone."""
    context = request["EncryptionContext"]
    if operation == "Encrypt":
        sealed = json.dumps([context, request["Plaintext"]]).encode()
        return {"CiphertextBlob": base64.b64encode(sealed).decode(), "KeyId": request["KeyId"]}
    sealed_context, text = json.loads(base64.b64decode(request["CiphertextBlob"]))
    if sealed_context != context:
        raise ServiceError("InvalidCiphertextException")
    return {"Plaintext": text, "KeyId": request["KeyId"]}


def _secret(operation: str, created: float) -> dict[str, Any]:
    if operation != "GetSecretValue":
        raise NotImplementedError(f"the model of Secrets Manager has no {operation}")
    # Made long ago, so that no rotation is under way.
    return {"SecretString": SIMULATOR_SECRET, "CreatedDate": created - 30 * 86_400}


def _told(answer: Mapping[str, Any]) -> str:
    return NOTHING if answer.get("Items") == [] else ""


def _throttled(service: str) -> Exception:
    codes = {
        Target.DYNAMODB: "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        Target.SQS: "com.amazonaws.sqs#RequestThrottled",
    }
    return ServiceError(codes.get(Target(service), "ThrottlingException"), "too fast")


def _conflict(operation: str, request: Mapping[str, Any]) -> Callable[[], Exception] | None:
    """Make the refusal of a write to what transactions write, too; None for all other calls."""
    prefix = "com.amazonaws.dynamodb.v20120810#"
    if operation == "TransactWriteItems":
        reasons = [{"Code": "None"} for _ in request["TransactItems"]]
        reasons[0] = {"Code": "TransactionConflict", "Message": _ONGOING}
        code = f"{prefix}TransactionCanceledException"
        return lambda: ServiceError(code, "canceled", CancellationReasons=reasons)
    if operation not in _WRITES or not request["TableName"].endswith("-payments"):
        return None
    return lambda: ServiceError(f"{prefix}TransactionConflictException", _ONGOING)


def _subject(operation: str, request: Mapping[str, Any]) -> str:
    if "TransactItems" in request:
        parts = [next(iter(action.items())) for action in request["TransactItems"]]
        return " + ".join(f"{kind} {_item(what)}" for kind, what in parts)
    if "QueueUrl" in request:
        return str(request["QueueUrl"]).rpartition("/")[2]
    if "TableName" in request:
        return _item(request)
    return operation


def _item(request: Mapping[str, Any]) -> str:
    key = request.get("Key") or request.get("Item") or {}
    parts = [_short(key[name]) for name in ("pk", "sk") if name in key]
    if not parts:
        values = request.get("ExpressionAttributeValues", {}).values()
        parts = [_short(value) for value in list(values)[:1]]
    return " ".join([_short_name(request["TableName"]), "/".join(parts)])


@cache
def _short_name(table: str) -> str:
    return table.rpartition("-")[2]


def _short(value: Mapping[str, Any]) -> str:
    return str(next(iter(value.values())))[:28]
