"""The AWS of a run: each service's model behind one door, and how its callers see it fail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.exceptions import ReadTimeoutError

from infra.simulation import kms
from infra.simulation.dynamodb import DynamoDb
from infra.simulation.faults import BATCH, Fault, Target
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel
from infra.simulation.points import NOTHING
from infra.simulation.sqs import Sqs
from infra.simulation.stream import KeptStream
from infra.simulation.transport import ServiceError
from riel.app import READ_TIMEOUT_SECONDS

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
TRANSACTION = "TransactWriteItems"
CANCELED = "TransactionCanceledException"
CANCELED_IF_REFUSED = 0.5
"""How often a refused transaction is one that was canceled, which the SDK does not repeat."""
ANOTHER = 0.3
"""How likely a position is to fail beside the one that does."""
REFUSALS: Mapping[Target, Sequence[tuple[str, int]]] = {
    Target.DYNAMODB: (
        ("ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("RequestLimitExceeded", 400),
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
    ),
    Target.SQS: (("RequestThrottled", 403), ("ServiceUnavailable", 503), ("InternalError", 500)),
    Target.KMS: (("ThrottlingException", 400), ("KMSInternalException", 500)),
    Target.SECRETS: (("ThrottlingException", 400), ("InternalServiceError", 500)),
    Target.STREAM: (("LimitExceededException", 400), ("InternalServerError", 500)),
}
"""How each service says that it does not do it now: code and HTTP status."""
_OF_TRANSACTIONS = (("TransactionInProgressException", 400),)
_PREFIXES = {
    Target.DYNAMODB: "com.amazonaws.dynamodb.v20120810#",
    Target.SQS: "com.amazonaws.sqs#",
}
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

    def __init__(
        self,
        kernel: Kernel,
        gate: Gate,
        dynamodb: DynamoDb,
        sqs: Sqs,
        keys: Collection[str],
    ) -> None:
        self._kernel = kernel
        self._keys = keys
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
            refused=lambda: self._refusal(service, operation, request),
            conflicted=self._conflict(operation, request),
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
            return self.sqs.call(operation, request, self._failing(operation, request))
        if service == Target.STREAM:
            return self.stream.call(operation, request)
        if service == Target.KMS:
            return kms.answer(operation, request, self._keys)
        return _secret(operation, self._kernel.start)

    def _failing(self, operation: str, request: Mapping[str, Any]) -> list[int]:
        """Choose which entries of a batch fail, where that is what goes wrong with the call."""
        if operation != BATCH or (self._call_name(), Fault.PARTIAL) not in self._gate.injected:
            return []
        return self._some(request["Entries"])

    def _refusal(self, service: str, operation: str, request: Mapping[str, Any]) -> Exception:
        name = self._call_name()
        is_transaction = operation == TRANSACTION
        if is_transaction and self._kernel.draw("canceled", name) < CANCELED_IF_REFUSED:
            return self._canceled(request, "ThrottlingError", "too fast")
        refusals = [*REFUSALS[Target(service)], *(_OF_TRANSACTIONS if is_transaction else ())]
        code, status = refusals[int(self._kernel.draw("refusal", name) * len(refusals))]
        return ServiceError(_PREFIXES.get(Target(service), "") + code, "not now", status)

    def _conflict(
        self, operation: str, request: Mapping[str, Any]
    ) -> Callable[[], Exception] | None:
        """Make the refusal of a write to what transactions write, too; None for other calls."""
        if operation == TRANSACTION:
            return lambda: self._canceled(request, "TransactionConflict", _ONGOING)
        if operation not in _WRITES or not request["TableName"].endswith("-payments"):
            return None
        code = f"{_PREFIXES[Target.DYNAMODB]}TransactionConflictException"
        return lambda: ServiceError(code, _ONGOING)

    def _canceled(self, request: Mapping[str, Any], code: str, message: str) -> Exception:
        """Cancel a transaction for some of its actions, which are told by their positions."""
        actions = request["TransactItems"]
        reasons: list[dict[str, str]] = [{"Code": "None"} for _ in actions]
        for position in self._some(actions):
            reasons[position] = {"Code": code, "Message": message}
        canceled = _PREFIXES[Target.DYNAMODB] + CANCELED
        return ServiceError(canceled, "canceled", CancellationReasons=reasons)

    def _some(self, parts: Sequence[object]) -> list[int]:
        """Choose positions, one at the least: each of them is the only one about as often."""
        name = self._call_name()
        one = int(self._kernel.draw("part", name) * len(parts))
        others = range(len(parts))
        return [n for n in others if n == one or self._kernel.draw("part", name, n) < ANOTHER]

    def _call_name(self) -> str:
        """Return what the gate calls the call that is being made."""
        task = self._kernel.current
        return f"{task.name}.{task.calls}" if task else ""


def _secret(operation: str, created: float) -> dict[str, Any]:
    if operation != "GetSecretValue":
        raise NotImplementedError(f"the model of Secrets Manager has no {operation}")
    # Made long ago, so that no rotation is under way.
    return {"SecretString": SIMULATOR_SECRET, "CreatedDate": created - 30 * 86_400}


def _told(answer: Mapping[str, Any]) -> str:
    return NOTHING if answer.get("Items") == [] else ""


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
