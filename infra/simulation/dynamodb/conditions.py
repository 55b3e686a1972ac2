"""Conditions and filters: what has to hold of an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Protocol

from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.syntax import Literal, Path
from infra.simulation.dynamodb.values import ORDERED, Item, Value, length, rank

TYPES = frozenset("S SS N NS B BS BOOL NULL L M".split())
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
Values = Mapping[str, Value]


class Operand(Protocol):
    """What a condition compares."""

    def read(self, item: Item, values: Values) -> Value | None:
        """Find the value, if there is one."""


class Condition(Protocol):
    """Something that holds of an item, or does not."""

    def check(self, values: Values) -> None:
        """Refuse values that can not stand where they do, whatever the item is."""

    def holds(self, item: Item, values: Values) -> bool:
        """Judge an item; one that does not exist has no attributes."""


@dataclass(frozen=True, slots=True)
class Size:
    """`size(path)`."""

    of: Path

    def read(self, item: Item, values: Values) -> Value | None:
        """Count what is there."""
        found = self.of.read(item, values)
        count = None if found is None else length(found)
        return None if count is None else {"N": str(count)}


@dataclass(frozen=True, slots=True)
class Equals:
    """`=` and, with `wanted` False, `<>`. What is not there differs from everything."""

    left: Operand
    right: Operand
    wanted: bool

    def check(self, values: Values) -> None:
        """Any types can be compared."""

    def holds(self, item: Item, values: Values) -> bool:
        """Compare the two."""
        left = self.left.read(item, values)
        is_equal = left is not None and left == self.right.read(item, values)
        return is_equal is self.wanted


@dataclass(frozen=True, slots=True)
class Ordered:
    """`<`, `<=`, `>` and `>=`."""

    left: Operand
    sign: str
    right: Operand

    def check(self, values: Values) -> None:
        """Only numbers, texts and bytes have an order."""
        for operand in (self.left, self.right):
            _expect_type(operand, values, self.sign, ORDERED)

    def holds(self, item: Item, values: Values) -> bool:
        """Compare the two."""
        left, right = self.left.read(item, values), self.right.read(item, values)
        return _compare(left, self.sign, right)


@dataclass(frozen=True, slots=True)
class Between:
    """`BETWEEN`, with both bounds included."""

    tested: Operand
    low: Operand
    high: Operand

    def check(self, values: Values) -> None:
        """Bounds have to be of one type, and the right way round."""
        for operand in (self.tested, self.low, self.high):
            _expect_type(operand, values, "BETWEEN", ORDERED)
        if not (isinstance(self.low, Literal) and isinstance(self.high, Literal)):
            return
        low, high = values[self.low.name], values[self.high.name]
        if low.keys() != high.keys():
            raise validation("The BETWEEN operator requires same data type for both bounds")
        if not _compare(low, "<=", high):
            raise validation(
                "The BETWEEN operator requires upper bound to be greater than or equal to"
                " lower bound"
            )

    def holds(self, item: Item, values: Values) -> bool:
        """Compare with both bounds."""
        tested = self.tested.read(item, values)
        return _compare(self.low.read(item, values), "<=", tested) and _compare(
            tested, "<=", self.high.read(item, values)
        )


@dataclass(frozen=True, slots=True)
class In:
    """`IN`."""

    tested: Operand
    among: tuple[Operand, ...]

    def check(self, values: Values) -> None:
        """Any types can be compared."""

    def holds(self, item: Item, values: Values) -> bool:
        """Look for the value among the others."""
        tested = self.tested.read(item, values)
        return tested is not None and any(one.read(item, values) == tested for one in self.among)


@dataclass(frozen=True, slots=True)
class Exists:
    """`attribute_exists` and, with `wanted` False, `attribute_not_exists`."""

    path: Path
    wanted: bool

    def check(self, values: Values) -> None:
        """Nothing can be wrong."""

    def holds(self, item: Item, values: Values) -> bool:
        """Look for it."""
        return (self.path.read(item, values) is not None) is self.wanted


@dataclass(frozen=True, slots=True)
class HasType:
    """`attribute_type`."""

    path: Path
    kind: Literal

    def check(self, values: Values) -> None:
        """The type is a text that names one."""
        if values[self.kind.name].get("S") not in TYPES:
            raise validation(f"Invalid attribute type name found: {values[self.kind.name]}")

    def holds(self, item: Item, values: Values) -> bool:
        """Look at the value's type."""
        return values[self.kind.name]["S"] in (self.path.read(item, values) or {})


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """`begins_with`."""

    path: Operand
    prefix: Operand

    def check(self, values: Values) -> None:
        """Only texts and bytes have beginnings."""
        for operand in (self.path, self.prefix):
            _expect_type(operand, values, "begins_with", frozenset({"S", "B"}))

    def holds(self, item: Item, values: Values) -> bool:
        """Compare the beginnings."""
        whole, prefix = self.path.read(item, values), self.prefix.read(item, values)
        if whole is None or prefix is None or whole.keys() != prefix.keys():
            return False
        if not whole.keys() <= {"S", "B"}:
            return False
        return bool(rank(whole).startswith(rank(prefix)))


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains`: a part of a text or bytes, an element of a list, a member of a set."""

    path: Operand
    sought: Operand

    def check(self, values: Values) -> None:
        """Anything can be looked for."""

    def holds(self, item: Item, values: Values) -> bool:
        """Look for it."""
        whole, sought = self.path.read(item, values), self.sought.read(item, values)
        if whole is None or sought is None:
            return False
        ((kind, raw),) = whole.items()
        ((sought_kind, part),) = sought.items()
        if kind == "L":
            return sought in raw
        if kind == sought_kind and kind in ("S", "B"):
            return rank(sought) in rank(whole)
        return kind == sought_kind + "S" and part in raw


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT`."""

    inner: Condition

    def check(self, values: Values) -> None:
        """Check what is inside."""
        self.inner.check(values)

    def holds(self, item: Item, values: Values) -> bool:
        """Whether what is inside does not hold."""
        return not self.inner.holds(item, values)


@dataclass(frozen=True, slots=True)
class And:
    """`AND`."""

    parts: tuple[Condition, ...]

    def check(self, values: Values) -> None:
        """Check every part."""
        for part in self.parts:
            part.check(values)

    def holds(self, item: Item, values: Values) -> bool:
        """Whether every part holds."""
        return all(part.holds(item, values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """`OR`."""

    parts: tuple[Condition, ...]

    def check(self, values: Values) -> None:
        """Check every part."""
        for part in self.parts:
            part.check(values)

    def holds(self, item: Item, values: Values) -> bool:
        """Whether a part holds."""
        return any(part.holds(item, values) for part in self.parts)


def _compare(left: Value | None, sign: str, right: Value | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    return left.keys() <= ORDERED and _ORDERS[sign](rank(left), rank(right))


def _expect_type(operand: Operand, values: Values, operator: str, allowed: frozenset[str]) -> None:
    if isinstance(operand, Literal) and not values[operand.name].keys() <= allowed:
        (kind,) = values[operand.name]
        raise validation(
            "Incorrect operand type for operator or function;"
            f" operator or function: {operator}, operand type: {kind}"
        )
