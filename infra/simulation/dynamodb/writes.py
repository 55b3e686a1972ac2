"""Writing: what one action does to one item, alone or in a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.simulation.dynamodb.projections import project
from infra.simulation.dynamodb.refusals import RefusedUpdateError, refused_update, validation
from infra.simulation.dynamodb.requests import Expressions, read_expressions
from infra.simulation.dynamodb.storage import Storage
from infra.simulation.dynamodb.tables import Key, Table
from infra.simulation.dynamodb.values import Item, seal_item
from infra.simulation.transport import ServiceError

CONDITION_FAILED = "The conditional request failed"
PUT, UPDATE, DELETE, CHECK = "Put", "Update", "Delete", "ConditionCheck"
Request = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One write of one item: read and found well formed, not done."""

    kind: str
    table: Table
    key: Key
    item: Item
    """The whole new item of a Put, the key's attributes of the others."""
    expressions: Expressions
    returns_old: bool

    def outcome(self, old: Item | None) -> Item | None:
        """Return what the item is afterwards, None for nothing. Raises RefusedUpdateError."""
        if self.kind == PUT:
            return self.item
        if self.kind == DELETE:
            return None
        if self.kind == CHECK:
            return old
        update = self.expressions.update
        new = dict(old or self.item)
        if update:
            new = update.apply(new, self.expressions.values)
            self._check(new)
        return new

    def _check(self, new: Item) -> None:
        try:
            self.table.check(new)
        except ServiceError as error:
            raise refused_update(error.message) from error

    def failure(self, old: Item | None) -> dict[str, Any]:
        """Return what tells of a condition that does not hold."""
        return {"Item": old} if self.returns_old and old is not None else {}


def read_action(storage: Storage, kind: str, request: Request) -> Action:
    """Read an action; raises a ValidationException for what is wrong, whatever the item is."""
    table = storage.table(request["TableName"])
    expressions = read_expressions(request)
    if kind == PUT:
        item = seal_item(request["Item"])
        key = table.key_in(item)
        table.check(item)
    else:
        item = seal_item(request["Key"])
        key = table.key_of(item)
    if expressions.update:
        _expect_no_keys(table, expressions)
    returns_old = _choice(request, "ReturnValuesOnConditionCheckFailure", ("NONE", "ALL_OLD"))
    return Action(kind, table, key, item, expressions, returns_old == "ALL_OLD")


def _expect_no_keys(table: Table, expressions: Expressions) -> None:
    update = expressions.update
    touched = {place[0] for place in update.places} if update else set()
    if keys := touched & {*table.spec.key}:
        raise validation(
            f"One or more parameter values were invalid: Cannot update attribute {keys.pop()}."
            " This attribute is part of the key"
        )


def _choice(request: Request, parameter: str, allowed: tuple[str, ...]) -> str:
    chosen: str = request.get(parameter, "NONE")
    if chosen not in allowed:
        raise validation(f"{parameter} can only be one of {', '.join(allowed)}")
    return chosen


def put_item(storage: Storage, request: Request) -> Answer:
    """PutItem."""
    wanted = _choice(request, "ReturnValues", ("NONE", "ALL_OLD"))
    old, _ = _write(storage, read_action(storage, PUT, request))
    return {"Attributes": old} if old and wanted == "ALL_OLD" else {}


def delete_item(storage: Storage, request: Request) -> Answer:
    """DeleteItem."""
    wanted = _choice(request, "ReturnValues", ("NONE", "ALL_OLD"))
    old, _ = _write(storage, read_action(storage, DELETE, request))
    return {"Attributes": old} if old and wanted == "ALL_OLD" else {}


def update_item(storage: Storage, request: Request) -> Answer:
    """UpdateItem."""
    wanted = _choice(
        request, "ReturnValues", ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
    )
    action = read_action(storage, UPDATE, request)
    old, new = _write(storage, action)
    told = old if wanted.endswith("OLD") else new
    if wanted == "NONE" or told is None:
        return {}
    if wanted.startswith("UPDATED"):
        update = action.expressions.update
        told = project(told, update.places if update else ())
    return {"Attributes": told} if told else {}


def _write(storage: Storage, action: Action) -> tuple[Item | None, Item | None]:
    """Do an action alone; return the item before and after."""
    old = action.table.items.get(action.key)
    if not action.expressions.allow(old):
        raise ServiceError(
            "ConditionalCheckFailedException", CONDITION_FAILED, **action.failure(old)
        )
    new = action.outcome(old)
    storage.write(action.table, action.key, new)
    return old, new


def judge(action: Action) -> tuple[dict[str, Any], Item | None]:
    """Say why an action can not be done, as a transaction does, and what it makes of its item."""
    old = action.table.items.get(action.key)
    if not action.expressions.allow(old):
        failed = {"Code": "ConditionalCheckFailed", "Message": CONDITION_FAILED}
        return failed | action.failure(old), None
    try:
        return {"Code": "None"}, action.outcome(old)
    except RefusedUpdateError as error:
        return {"Code": "ValidationError", "Message": error.message}, None
