"""Attribute values on the wire: their check, one form for equal ones, their order and their size.

A sealed value was checked and has DynamoDB's own form: numbers without needless digits, sets in
one order. So two sealed values are equal exactly when they are equal as Python objects.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from infra.simulation.dynamodb.refusals import validation

Value = dict[str, Any]
"""One attribute value: its type and what it is, `{"N": "1"}`."""
Item = dict[str, Value]

MAX_ITEM_BYTES = 400 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 38
HIGHEST_EXPONENT, LOWEST_EXPONENT = 125, -130
ORDERED = frozenset({"S", "N", "B"})
_SET_MEMBERS = {"SS": "S", "NS": "N", "BS": "B"}
_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,36}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
# Wide enough for the sum of the largest and the smallest number, so that none is rounded.
_EXACT = Context(prec=300)


def seal_item(item: Mapping[str, Any]) -> Item:
    """Check an item's values, or those of an expression."""
    return {name: seal(value) for name, value in item.items()}


def seal(value: Value, depth: int = 1) -> Value:
    """Check a value and give it DynamoDB's own form."""
    if len(value) == 1 and isinstance(value.get("S"), str):  # as most are
        return value
    if len(value) != 1:
        fault = "has more than one datatypes set" if value else "is empty"
        raise validation(
            f"Supplied AttributeValue {fault}, must contain exactly one of the supported datatypes"
        )
    ((kind, raw),) = value.items()
    match kind:
        case "S" | "BOOL":
            _expect(raw, str if kind == "S" else bool)
            return value
        case "N":
            return {"N": canonical_number(raw)}
        case "M":
            _expect_container(raw, dict, depth)
            return {"M": {name: seal(inner, depth + 1) for name, inner in raw.items()}}
        case "L":
            _expect_container(raw, list, depth)
            return {"L": [seal(inner, depth + 1) for inner in raw]}
        case _:
            return _seal_rare(kind, raw)


def _seal_rare(kind: str, raw: Any) -> Value:
    """Check a value of the types that no item of ours has."""
    match kind:
        case "B":
            return {"B": _canonical_bytes(raw)}
        case "NULL":
            if raw is not True:
                raise validation("Null attribute value types must have the value of true")
            return {"NULL": True}
        case "SS" | "NS" | "BS":
            return {kind: _seal_set(kind, raw)}
        case _:
            raise validation(f"no datatype is called {kind}")


def _seal_set(kind: str, raw: list[Any]) -> list[str]:
    member = _SET_MEMBERS[kind]
    members: list[str] = [seal({member: one})[member] for one in raw]
    if not members:
        raise validation("One or more parameter values were invalid: An empty set is not allowed")
    if len(set(members)) < len(members):
        raise validation(
            "One or more parameter values were invalid: Input collection contains duplicates."
        )
    return sorted(members)


def _expect(raw: object, kind: type) -> None:
    if not isinstance(raw, kind):
        raise validation(f"{type(raw).__name__} can not be converted to {kind.__name__}")


def _expect_container(raw: object, kind: type, depth: int) -> None:
    _expect(raw, kind)
    if depth >= MAX_DEPTH:
        raise validation("Nesting Levels have exceeded supported limits")


def _canonical_bytes(raw: object) -> str:
    try:
        return base64.b64encode(base64.b64decode(str(raw), validate=True)).decode()
    except binascii.Error as error:
        raise validation("a binary value is not in base 64") from error


def canonical_number(text: object) -> str:
    """Write a number in the one form that all equal ones share."""
    if isinstance(text, str) and _PLAIN_NUMBER.fullmatch(text):
        return text
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise validation(f"The parameter cannot be converted to a numeric value: {text}")
    return _write_number(Decimal(text))


def _write_number(number: Decimal) -> str:
    if not number:
        return "0"
    number = number.normalize(_EXACT)
    if number.adjusted() > HIGHEST_EXPONENT:
        raise validation("Number overflow. Attempting to store a number that is too large")
    if number.adjusted() < LOWEST_EXPONENT:
        raise validation("Number underflow. Attempting to store a number that is too small")
    if len(number.as_tuple().digits) > MAX_DIGITS:
        raise validation("Attempting to store more than 38 significant digits in a Number")
    return format(number, "f")


def add(left: Value, right: Value, sign: int = 1) -> Value:
    """Add two numbers, or subtract the second one."""
    first, second = left["N"], right["N"]
    if _PLAIN_NUMBER.fullmatch(first) and _PLAIN_NUMBER.fullmatch(second):
        return {"N": canonical_number(str(int(first) + sign * int(second)))}
    total = _EXACT.add(Decimal(first), _EXACT.multiply(Decimal(sign), Decimal(second)))
    return {"N": _write_number(total)}


def rank(value: Value) -> Any:
    """Return what a value that has an order is sorted by, among those of its type."""
    ((kind, raw),) = value.items()
    if kind == "N":
        return int(raw) if _PLAIN_NUMBER.fullmatch(raw) else Decimal(raw)
    return raw if kind == "S" else base64.b64decode(raw)


def length(value: Value) -> int | None:
    """Return what the function `size` says of a value; None where it says nothing."""
    ((kind, raw),) = value.items()
    if kind == "S":  # UTF-16, in which DynamoDB counts
        return len(raw.encode("utf-16-le", "surrogatepass")) // 2
    if kind == "B":
        return len(base64.b64decode(raw))
    return None if kind in ("N", "BOOL", "NULL") else len(raw)


def item_bytes(item: Item) -> int:
    """Measure an item: the names and the values of its attributes."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def is_too_large(item: Item) -> bool:
    """Whether an item is above DynamoDB's limit."""
    # A character has four bytes at most, so most items need no exact measure.
    return 4 * len(repr(item)) > MAX_ITEM_BYTES < item_bytes(item)


def _value_bytes(value: Value) -> int:
    ((kind, raw),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(k.encode()) + _value_bytes(inner) for k, inner in raw.items())
    if kind == "L":
        return 3 + sum(1 + _value_bytes(inner) for inner in raw)
    if kind in _SET_MEMBERS:
        return sum(_value_bytes({_SET_MEMBERS[kind]: member}) for member in raw)
    return _SIZES[kind](raw) if kind in _SIZES else 1


def _text_bytes(text: str) -> int:
    return len(text.encode())


def _binary_bytes(text: str) -> int:
    return len(base64.b64decode(text))


def _number_bytes(text: str) -> int:
    # Two digits in a byte, pairs counted from the point, and one byte for the exponent.
    whole, _, fraction = text.lstrip("-").partition(".")
    pairs = (len(whole) + 1) // 2 + (len(fraction) + 1) // 2
    return 1 + pairs + text.startswith("-")


_SIZES = {"S": _text_bytes, "N": _number_bytes, "B": _binary_bytes}
