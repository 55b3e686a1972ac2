"""How conditions are written: comparisons and functions, joined by NOT, AND and OR."""

from __future__ import annotations

from collections.abc import Callable

from infra.simulation.dynamodb.conditions import (
    And,
    BeginsWith,
    Between,
    Condition,
    Contains,
    Equals,
    Exists,
    HasType,
    In,
    Not,
    Operand,
    Or,
    Ordered,
    Size,
)
from infra.simulation.dynamodb.syntax import Reader

MAX_IN = 100
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")


def read_condition(reader: Reader) -> Condition:
    """Read a whole condition."""
    return _read_or(reader)


def _read_or(reader: Reader) -> Condition:
    parts = [_read_and(reader)]
    while reader.has("OR"):
        parts.append(_read_and(reader))
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _read_and(reader: Reader) -> Condition:
    parts = [_read_not(reader)]
    while reader.has("AND"):
        parts.append(_read_not(reader))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _read_not(reader: Reader) -> Condition:
    return Not(_read_not(reader)) if reader.has("NOT") else _read_one(reader)


def _read_one(reader: Reader) -> Condition:
    if reader.has("("):
        with reader.group():
            return _read_or(reader)
    if reader.at_call(*_FUNCTIONS):
        return _read_function(reader)
    return _read_comparison(reader, _read_operand(reader))


def _read_comparison(reader: Reader, left: Operand) -> Condition:
    sign = reader.peek()
    if reader.has(*_COMPARATORS):
        right = _distinct(reader, left, _read_operand(reader), sign)
        if sign in ("=", "<>"):
            return Equals(left, right, wanted=sign == "=")
        return Ordered(left, sign, right)
    if reader.has("BETWEEN"):
        low = _distinct(reader, left, _read_operand(reader), sign)
        reader.expect("AND")
        return Between(left, low, _distinct(reader, left, _read_operand(reader), sign))
    reader.expect("IN")
    reader.expect("(")
    among = reader.listed(lambda: _distinct(reader, left, _read_operand(reader), sign))
    reader.expect(")")
    if len(among) > MAX_IN:
        raise reader.fault("Invalid number of operands for operator or function: IN")
    return In(left, tuple(among))


def _distinct(reader: Reader, left: Operand, right: Operand, operator: str) -> Operand:
    if left == right:
        raise reader.fault(
            "The first operand must be distinct from the remaining operands for this operator or"
            f" function; operator: {operator}"
        )
    return right


def _read_operand(reader: Reader) -> Operand:
    if reader.at_call("size"):
        reader.take()
        reader.expect("(")
        size = Size(reader.path())
        reader.expect(")")
        return size
    return reader.literal() if reader.at_value() else reader.path()


def _read_function(reader: Reader) -> Condition:
    name = reader.take()
    reader.expect("(")
    condition = _FUNCTIONS[name](reader)
    reader.expect(")")
    return condition


def _read_type(reader: Reader) -> Condition:
    path = reader.path()
    reader.expect(",")
    return HasType(path, reader.literal())


def _read_pair(reader: Reader, name: str) -> tuple[Operand, Operand]:
    first = _read_operand(reader)
    reader.expect(",")
    return first, _distinct(reader, first, _read_operand(reader), name)


_FUNCTIONS: dict[str, Callable[[Reader], Condition]] = {
    "attribute_exists": lambda reader: Exists(reader.path(), wanted=True),
    "attribute_not_exists": lambda reader: Exists(reader.path(), wanted=False),
    "attribute_type": _read_type,
    "begins_with": lambda reader: BeginsWith(*_read_pair(reader, "begins_with")),
    "contains": lambda reader: Contains(*_read_pair(reader, "contains")),
}
