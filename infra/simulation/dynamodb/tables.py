"""Tables: their definitions, their items by key, and the indexes over them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from infra.simulation.dynamodb.key_conditions import Entry
from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.values import Item, Value, is_too_large

MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
ALL: Final = "ALL"
KEYS_ONLY: Final = "KEYS_ONLY"
KeyNames = tuple[str, str | None]
Key = tuple[str, str]
"""An item's two keys; the second is empty where a table has only one."""
_EMPTY_KEY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot"
    " contain an empty string value."
)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """A global secondary index; `projection` is `ALL`, `KEYS_ONLY`, or names besides the keys."""

    key: KeyNames
    projection: str | frozenset[str] = KEYS_ONLY


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table. `ttl` is the attribute by which items expire, in epoch seconds."""

    name: str
    key: KeyNames
    indexes: Mapping[str, IndexSpec] = field(default_factory=dict)
    ttl: str | None = None
    stream: bool = False

    @classmethod
    def of_definition(cls, properties: Mapping[str, Any]) -> TableSpec:
        """Read a table's definition as CreateTable and a template have it."""
        indexes = properties.get("GlobalSecondaryIndexes", ())
        return cls(
            properties["TableName"],
            _key_names(properties["KeySchema"]),
            {index["IndexName"]: _index_spec(index) for index in indexes},
            properties.get("TimeToLiveSpecification", {}).get("AttributeName"),
            "StreamSpecification" in properties,
        )


def _key_names(schema: list[Mapping[str, str]]) -> KeyNames:
    names = {part["KeyType"]: part["AttributeName"] for part in schema}
    return names["HASH"], names.get("RANGE")


def _index_spec(index: Mapping[str, Any]) -> IndexSpec:
    projection = index["Projection"]
    more = projection.get("NonKeyAttributes")
    kind = frozenset(more) if more else projection["ProjectionType"]
    return IndexSpec(_key_names(index["KeySchema"]), kind)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one item, as a stream tells it: `event` is INSERT, MODIFY or REMOVE.

    `at` is in seconds since 1970; `by_ttl` tells a removal by time to live.
    """

    table: str
    event: str
    keys: Item
    old: Item | None
    new: Item | None
    at: float
    sequence_number: int
    by_ttl: bool = False


class Index:
    """What stands in which order in the partitions of an index, or of a table itself."""

    def __init__(self, name: str, key: KeyNames, kept: frozenset[str] | None) -> None:
        """`kept` are the attributes that the index has; None for all."""
        self.name = name
        self.key = key
        self._kept = kept
        self.partitions: dict[str, list[Entry]] = {}

    def place_of(self, item: Item, key: Key) -> tuple[str, Entry] | None:
        """Return in which partition an item stands, and where there; None if it does not."""
        first, second = self.key
        if first not in item or (second is not None and second not in item):
            return None
        sort = item[second]["S"] if second is not None else ""
        return item[first]["S"], (sort, *key)

    def replace(self, key: Key, old: Item | None, new: Item | None) -> None:
        """Move an item to where it stands now."""
        before = self.place_of(old, key) if old else None
        after = self.place_of(new, key) if new else None
        if before == after:
            return
        if before:
            entries = self.partitions[before[0]]
            del entries[bisect_left(entries, before[1])]
            if not entries:
                del self.partitions[before[0]]
        if after:
            insort(self.partitions.setdefault(after[0], []), after[1])

    def projected(self, item: Item) -> Item:
        """Return what the index has of an item."""
        if self._kept is None:
            return item
        return {name: value for name, value in item.items() if name in self._kept}


class Table:
    """The items of one table."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec
        self.items: dict[Key, Item] = {}
        self.itself = Index("", spec.key, None)
        self.indexes = {name: self._index(name, index) for name, index in spec.indexes.items()}

    def _index(self, name: str, spec: IndexSpec) -> Index:
        if spec.projection == ALL:
            return Index(name, spec.key, None)
        more = frozenset() if isinstance(spec.projection, str) else spec.projection
        keys = {*spec.key, *self.spec.key} - {None}
        return Index(name, spec.key, more | {str(key) for key in keys})

    def replace(self, key: Key, new: Item | None) -> Item | None:
        """Put an item in the place of another one, or take that away; return the other one."""
        old = self.items.get(key)
        for index in (self.itself, *self.indexes.values()):
            index.replace(key, old, new)
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
        return old

    def keys_of(self, item: Item, *indexes: Index) -> Item:
        """Return the attributes of an item that are keys here, and in these indexes."""
        names = {*self.spec.key, *(name for index in indexes for name in index.key)}
        return {name: item[name] for name in item if name in names}

    def key_of(self, attributes: Mapping[str, Value]) -> Key:
        """Read a request's Key, which has to be the whole key and no more."""
        wanted = [name for name in self.spec.key if name is not None]
        if len(attributes) != len(wanted) or any(
            "S" not in attributes.get(name, {}) for name in wanted
        ):
            raise validation("The provided key element does not match the schema")
        return self._key([attributes[name]["S"] for name in wanted])

    def key_in(self, item: Item) -> Key:
        """Read the key in a whole item."""
        texts = []
        for name in self.spec.key:
            if name is None:
                continue
            if name not in item:
                raise validation(
                    f"One or more parameter values were invalid: Missing the key {name} in the item"
                )
            if "S" not in item[name]:
                (kind,) = item[name]
                raise validation(
                    "One or more parameter values were invalid: Type mismatch for key"
                    f" {name} expected: S actual: {kind}"
                )
            texts.append(item[name]["S"])
        return self._key(texts)

    def _key(self, texts: list[str]) -> Key:
        if "" in texts:
            raise validation(_EMPTY_KEY)
        first, second = (*texts, "")[:2]
        _expect_short(first, second)
        return first, second

    def check(self, item: Item) -> None:
        """Refuse an item that is too large, or that no index can hold."""
        if is_too_large(item):
            raise validation("Item size has exceeded the maximum allowed size")
        for index in self.indexes.values():
            first, second = (self._index_text(index, name, item) for name in index.key)
            _expect_short(first, second)

    def _index_text(self, index: Index, name: str | None, item: Item) -> str:
        if name not in item:
            return ""
        value = item[name]
        if "S" not in value:
            (kind,) = value
            raise validation(
                f"One or more parameter values were invalid: Type mismatch for Index Key {name}"
                f" Expected: S Actual: {kind} IndexName: {index.name}"
            )
        if not value["S"]:
            raise validation(f"{_EMPTY_KEY} IndexName: {index.name}, IndexKey: {name}")
        return str(value["S"])


def _expect_short(first: str, second: str) -> None:
    # Most keys are far too short to be measured.
    if len(first) > MAX_PARTITION_KEY_BYTES // 4 and len(first.encode()) > MAX_PARTITION_KEY_BYTES:
        raise validation("Aggregated size of all hash keys has exceeded the limit of 2048 bytes")
    if len(second) > MAX_SORT_KEY_BYTES // 4 and len(second.encode()) > MAX_SORT_KEY_BYTES:
        raise validation("Aggregated size of all range keys has exceeded the limit of 1024 bytes")
