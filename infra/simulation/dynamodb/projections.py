"""Projections: which parts of an item are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.simulation.dynamodb.syntax import Place, Reader, overlap, step
from infra.simulation.dynamodb.values import Item, Value


def read_projection(reader: Reader) -> tuple[Place, ...]:
    """Read a whole ProjectionExpression."""
    places = tuple(path.place for path in reader.listed(reader.path))
    if overlap(places):
        raise reader.fault("Two document paths overlap with each other")
    return places


def project(item: Item, places: Iterable[Place]) -> Item:
    """Return these places of an item, those that are there, each where it was.

    Elements of a list move together.
    """
    tree: dict[Any, Any] = {}
    for place in places:
        branch = tree
        for part in place[:-1]:
            branch = branch.setdefault(part, {})
        branch[place[-1]] = None
    found = _pick({"M": item}, tree)
    return found["M"] if found else {}


def _pick(value: Value, tree: dict[Any, Any] | None) -> Value | None:
    if tree is None:
        return value
    kept: dict[Any, Value] = {}
    for part in sorted(tree, key=lambda part: (isinstance(part, str), part)):
        inner = step(value, part)
        picked = None if inner is None else _pick(inner, tree[part])
        if picked is not None:
            kept[part] = picked
    if not kept:
        return None
    return {"L": list(kept.values())} if "L" in value else {"M": kept}
