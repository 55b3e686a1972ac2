"""Key conditions: which partition a query reads, and which part of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from infra.simulation.dynamodb.conditions import (
    And,
    BeginsWith,
    Between,
    Condition,
    Equals,
    Operand,
    Ordered,
)
from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.syntax import Literal, Path
from infra.simulation.dynamodb.values import Value

Entry = tuple[str, str, str]
"""Where an item stands in a partition: what it is sorted by, then its own two keys."""
_SORT = itemgetter(0)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A partition, and what of its sort keys is wanted."""

    partition: str
    sign: str = ""
    bounds: tuple[str, ...] = ()

    def cut(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Return where the wanted part of a partition begins, and where it ends."""
        if not self.sign:
            return 0, len(entries)
        first, last = self.bounds[0], self.bounds[-1]
        start, end = 0, len(entries)
        if self.sign in ("=", ">=", "BETWEEN", "begins_with"):
            start = bisect_left(entries, first, key=_SORT)
        elif self.sign == ">":
            start = bisect_right(entries, first, key=_SORT)
        if self.sign in ("=", "<=", "BETWEEN"):
            end = bisect_right(entries, last, key=_SORT)
        elif self.sign == "<":
            end = bisect_left(entries, last, key=_SORT)
        elif self.sign == "begins_with":
            # From the first one on, those that begin with it come before those that do not.
            end = bisect_left(entries, True, start, key=lambda e: not e[0].startswith(first))
        return start, end


def key_range(
    condition: Condition, values: Mapping[str, Value], key: tuple[str, str | None]
) -> KeyRange:
    """Read the two conditions that a query may have: `=` on the first key, a range of the other."""
    parts = condition.parts if isinstance(condition, And) else (condition,)
    found: dict[str, tuple[str, tuple[Operand, ...]]] = {}
    for part in parts:
        name, sign, operands = _taken_apart(part)
        if name not in key:
            raise validation(f"Query condition missed key schema element: {key[0]}")
        if name in found:
            raise validation("KeyConditionExpressions must only contain one condition per key")
        found[name] = sign, operands
    first, second = key
    if first not in found:
        raise validation(f"Query condition missed key schema element: {first}")
    sign, operands = found[first]
    if sign != "=":
        raise validation("Query key condition not supported")
    (partition,) = _texts(operands, values)
    if second is None or second not in found:
        return KeyRange(partition)
    sign, operands = found[second]
    return KeyRange(partition, sign, _texts(operands, values))


def _taken_apart(part: Condition) -> tuple[str, str, tuple[Operand, ...]]:
    match part:
        case Equals(Path((str(name),)), right, wanted=True):
            return name, "=", (right,)
        case Ordered(Path((str(name),)), sign, right):
            return name, sign, (right,)
        case Between(Path((str(name),)), low, high):
            return name, "BETWEEN", (low, high)
        case BeginsWith(Path((str(name),)), prefix):
            return name, "begins_with", (prefix,)
        case _:
            raise validation("Invalid operator used in KeyConditionExpression")


def _texts(operands: tuple[Operand, ...], values: Mapping[str, Value]) -> tuple[str, ...]:
    texts = []
    for operand in operands:
        if not isinstance(operand, Literal) or "S" not in values[operand.name]:
            raise validation(
                "One or more parameter values were invalid: Condition parameter type does not"
                " match schema type"
            )
        text = values[operand.name]["S"]
        if not text:
            raise validation(
                "One or more parameter values are not valid. The AttributeValue for a key"
                " attribute cannot contain an empty string value."
            )
        texts.append(text)
    return tuple(texts)
