"""The expressions of one request, with the names and values that come beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.simulation.dynamodb.condition_grammar import read_condition
from infra.simulation.dynamodb.conditions import Condition
from infra.simulation.dynamodb.projections import project, read_projection
from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.syntax import Parsed, parse
from infra.simulation.dynamodb.updates import Update, check_update, read_update
from infra.simulation.dynamodb.values import Item, Value, seal_item

_GRAMMARS: dict[str, Any] = {
    "ConditionExpression": read_condition,
    "FilterExpression": read_condition,
    "KeyConditionExpression": read_condition,
    "ProjectionExpression": read_projection,
    "UpdateExpression": read_update,
}
_CONDITIONS = ("ConditionExpression", "FilterExpression", "KeyConditionExpression")
NAMES, VALUES = "ExpressionAttributeNames", "ExpressionAttributeValues"
EXPRESSIONS = frozenset({*_GRAMMARS, NAMES, VALUES})
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Expressions:
    """What was read of a request: expressions by parameter, and the values that they need."""

    parsed: Mapping[str, Parsed[Any]]
    values: Mapping[str, Value]

    def tree(self, slot: str) -> Any:
        """Return what was read of a parameter; None if the request does not have it."""
        found = self.parsed.get(slot)
        return found.tree if found else None

    @property
    def update(self) -> Update | None:
        """The update, if the request has one."""
        update: Update | None = self.tree("UpdateExpression")
        return update

    def project(self, item: Item) -> Item:
        """Return the parts of an item that are asked for."""
        places = self.tree("ProjectionExpression")
        return item if places is None else project(item, places)

    def allow(self, item: Item | None, slot: str = "ConditionExpression") -> bool:
        """Whether the condition holds of an item, or there is none."""
        condition: Condition | None = self.tree(slot)
        return condition is None or condition.holds(item or {}, self.values)


def read_expressions(request: Mapping[str, Any]) -> Expressions:
    """Read all expressions of a request; raises a ValidationException for what is wrong there."""
    names = request.get(NAMES, _NONE)
    parsed: dict[str, Parsed[Any]] = {
        slot: parse(slot, request[slot], names, grammar)
        for slot, grammar in _GRAMMARS.items()
        if slot in request
    }
    _expect_used(NAMES, request, [one.names for one in parsed.values()])
    _expect_used(VALUES, request, [one.values for one in parsed.values()])
    values = seal_item(request.get(VALUES, _NONE))
    _check(parsed, values)
    return Expressions(parsed, values)


def _expect_used(parameter: str, request: Mapping[str, Any], used: list[frozenset[str]]) -> None:
    given, wanted = request.get(parameter, _NONE), frozenset().union(*used)
    if unused := given.keys() - wanted:
        raise validation(
            f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}"
        )
    if missing := wanted - given.keys():
        raise validation(
            "An expression attribute value used in expression is not defined;"
            f" attribute value: {', '.join(missing)}"
        )
    if parameter in request and not given:
        raise validation(f"{parameter} must not be empty")


def _check(parsed: Mapping[str, Parsed[Any]], values: Mapping[str, Value]) -> None:
    for slot in _CONDITIONS:
        if slot in parsed:
            parsed[slot].tree.check(values)
    if "UpdateExpression" in parsed:
        check_update(parsed["UpdateExpression"].tree, values)
