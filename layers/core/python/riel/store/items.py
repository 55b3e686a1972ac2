"""Python values to DynamoDB attribute values and back.

Small on purpose: boto3's own serializer costs an import and makes every number a Decimal; here
numbers are ints, because money is minor units. None and empty values are left out of items.

Old and new code run side by side in every deployment, so what is read may have fields that only a
later version knows (`from_fields`), and writing what one knows has to leave them (`update_of`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Item = dict[str, Any]
"""A DynamoDB item in wire form: `{"pk": {"S": "…"}}`."""
T = TypeVar("T", bound="DataclassInstance")


def encode(value: Any) -> dict[str, Any]:
    """Write one value. Raises TypeError for a type that no item of ours has (floats too)."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": {key: encode(inner) for key, inner in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [encode(inner) for inner in value]}
    raise TypeError(f"no attribute value for {type(value).__name__}")


def decode(attribute: Mapping[str, Any]) -> Any:
    """Read one attribute value."""
    ((kind, raw),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return raw
        case "N":
            return int(raw)
        case "M":
            return {key: decode(inner) for key, inner in raw.items()}
        case "L":
            return [decode(inner) for inner in raw]
        case "NULL":
            return None
        case _:
            raise TypeError(f"no item of ours has the attribute type {kind}")


def to_item(fields: Mapping[str, Any]) -> Item:
    """Write an item, leaving out what is None or empty text."""
    return {
        key: encode(value) for key, value in fields.items() if value is not None and value != ""
    }


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item."""
    return {key: decode(attribute) for key, attribute in item.items()}


def from_fields(kind: type[T], fields: Mapping[str, Any]) -> T:
    """Build a dataclass of what was stored or sent, but for the fields that it does not know.

    Raises TypeError when one is missing that it needs, or when these are no fields.
    """
    if not isinstance(fields, Mapping):
        raise TypeError(f"fields, not {type(fields).__name__}")
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in fields.items() if name in known})


def update_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Word the update that writes these fields and no other; None and empty text take one away."""
    values = to_item(fields)
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    absent = ", ".join(f"#{name}" for name in fields if name not in values)
    return {
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {absent}" if absent else ""),
        "ExpressionAttributeNames": {f"#{name}": name for name in fields},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
