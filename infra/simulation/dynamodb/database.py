"""The database: its tables, its operations by name, and what time does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from infra.simulation.dynamodb import reads, writes
from infra.simulation.dynamodb.storage import Draw, Storage
from infra.simulation.dynamodb.tables import Change, Table, TableSpec
from infra.simulation.dynamodb.transactions import Transactions
from infra.simulation.dynamodb.values import Item
from infra.simulation.transport import ServiceError

TTL_OLDEST_SECONDS = 5 * 365 * 86_400
"""What expired longer ago than this is taken for a mistake, and is never deleted."""
Request = Mapping[str, Any]
Operation = Callable[[Storage, Request], dict[str, Any]]
_NAMED = frozenset({"TableName", "ExpressionAttributeNames"})
_WITH_VALUES = _NAMED | {"ExpressionAttributeValues", "ConditionExpression"}
_WRITE = _WITH_VALUES | {"ReturnValues", "ReturnValuesOnConditionCheckFailure"}
_PAGE = (_WITH_VALUES - {"ConditionExpression"}) | {
    "IndexName",
    "FilterExpression",
    "ProjectionExpression",
    "Limit",
    "ExclusiveStartKey",
    "Select",
    "ConsistentRead",
}
_SELECTS = (None, "COUNT")


class DynamoDb:
    """A database. `now` is in seconds since 1970; with `draw`, what AWS leaves open is drawn."""

    def __init__(self, now: Callable[[], float], draw: Draw | None = None) -> None:
        self._storage = Storage(now, draw)
        self.on_settled: Callable[[list[Change]], None] | None = None
        """Who is told of all that one call has changed, together, after it."""
        transact = Transactions().write
        self._operations: dict[str, tuple[Operation, frozenset[str]]] = {
            "GetItem": (
                reads.get_item,
                _NAMED | {"Key", "ConsistentRead", "ProjectionExpression"},
            ),
            "BatchGetItem": (reads.batch_get_item, frozenset({"RequestItems"})),
            "Query": (reads.query, _PAGE | {"KeyConditionExpression", "ScanIndexForward"}),
            "Scan": (reads.scan, _PAGE),
            "PutItem": (writes.put_item, _WRITE | {"Item"}),
            "UpdateItem": (writes.update_item, _WRITE | {"Key", "UpdateExpression"}),
            "DeleteItem": (writes.delete_item, _WRITE | {"Key"}),
            "TransactWriteItems": (
                transact,
                frozenset({"TransactItems", "ClientRequestToken"}),
            ),
        }

    @property
    def on_change(self) -> Callable[[Change], None] | None:
        """Who is told of each change of an item in a table that has a stream."""
        return self._storage.on_change

    @on_change.setter
    def on_change(self, tell: Callable[[Change], None] | None) -> None:
        self._storage.on_change = tell

    def create(self, spec: TableSpec) -> None:
        """Make a table."""
        if spec.name in self._storage.tables:
            raise ServiceError("ResourceInUseException", f"Table already exists: {spec.name}")
        self._storage.tables[spec.name] = Table(spec)

    def call(self, operation: str, request: Request) -> dict[str, Any]:
        """Answer a request as it is on the wire; raises ServiceError for what is refused."""
        if operation == "CreateTable":
            self.create(TableSpec.of_definition(request))
            return {"TableDescription": {"TableStatus": "ACTIVE"}}
        if operation not in self._operations:
            raise NotImplementedError(f"the model of DynamoDB has no {operation}")
        run, parameters = self._operations[operation]
        if unknown := request.keys() - parameters:
            raise NotImplementedError(f"the model of {operation} has no {', '.join(unknown)}")
        if request.get("Select") not in _SELECTS:
            raise NotImplementedError(f"the model has no Select {request['Select']}")
        answer = run(self._storage, request)
        self._settle()
        return answer

    def items(self, table: str) -> list[Item]:
        """Return all items of a table as they are now, without a call."""
        return [dict(item) for item in self._storage.table(table).items.values()]

    def expire(
        self, table: str | None = None, is_chosen: Callable[[Item], bool] = lambda _item: True
    ) -> int:
        """Delete what is expired and chosen, of one table or of all; return how many that were.

        DynamoDB does so at a time of its own, within days.
        """
        tables = self._storage.tables
        chosen = [tables[table]] if table else list(tables.values())
        deleted = sum(self._expire(one, is_chosen) for one in chosen)
        self._settle()
        return deleted

    def _settle(self) -> None:
        changes, self._storage.changes = self._storage.changes, []
        if changes and self.on_settled:
            self.on_settled(changes)

    def _expire(self, table: Table, is_chosen: Callable[[Item], bool]) -> int:
        now = Decimal(self._storage.now())
        over = [
            key
            for key, item in table.items.items()
            if _is_expired(item, table.spec.ttl, now) and is_chosen(item)
        ]
        for key in over:
            self._storage.write(table, key, None, by_ttl=True)
        return len(over)


def _is_expired(item: Item, attribute: str | None, now: Decimal) -> bool:
    text = item.get(attribute or "", {}).get("N")
    return text is not None and 0 < now - Decimal(text) < TTL_OLDEST_SECONDS
