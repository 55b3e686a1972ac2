"""The tables of a database, the writing to them, and what a read may miss of what was written."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping

from infra.simulation.dynamodb.key_conditions import Entry
from infra.simulation.dynamodb.tables import Change, Index, Key, Table
from infra.simulation.dynamodb.values import Item
from infra.simulation.transport import ServiceError

STALE_SECONDS = 1.0
"""So long after a write, a read that is not consistent may see the item as it was before."""
STALE_SHARE = 0.25
Draw = Callable[..., float]
"""Draws a number in [0, 1) that depends on the names which it gets, and on nothing else."""


class Chance:
    """Decisions by draw; the same question asked again is another draw."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._asked: dict[tuple[object, ...], int] = {}

    def draw(self, *names: object) -> float:
        """Draw a number in [0, 1)."""
        asked = self._asked[names] = self._asked.get(names, 0) + 1
        return self._draw(*names, asked)


class Storage:
    """All tables. Without `draw` nothing is left to chance: every read is fresh."""

    def __init__(self, now: Callable[[], float], draw: Draw | None) -> None:
        self.now = now
        self.chance = Chance(draw) if draw else None
        self.tables: dict[str, Table] = {}
        self.on_change: Callable[[Change], None] | None = None
        self.changes: list[Change] = []
        """What the call under way has changed."""
        self._sequence_number = 0
        # By table: what items were before their writes of the last second, oldest first.
        self._before: dict[str, dict[Key, list[tuple[float, Item | None]]]] = {}

    def table(self, name: str) -> Table:
        """Find a table."""
        if name not in self.tables:
            raise ServiceError("ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]

    def write(self, table: Table, key: Key, new: Item | None, *, by_ttl: bool = False) -> None:
        """Put an item in its place, or with None take it away; tell of it if it changed."""
        old = table.replace(key, new)
        if old == new:
            return
        now = self.now()
        if self.chance:
            before = self._before.setdefault(table.spec.name, {})
            before.setdefault(key, []).append((now, old))
        self._sequence_number += 1
        event = "REMOVE" if new is None else "MODIFY" if old else "INSERT"
        keys = table.keys_of(new or old or {})
        change = Change(table.spec.name, event, keys, old, new, now, self._sequence_number, by_ttl)
        self.changes.append(change)
        if table.spec.stream and self.on_change:
            self.on_change(change)

    def read(self, table: Table, key: Key, *, is_consistent: bool) -> Item | None:
        """Read one item."""
        if not is_consistent and (older := self._stale(table, table.itself, key)):
            return older[0]
        return table.items.get(key)

    def partition(
        self, table: Table, index: Index, partition: str, *, is_consistent: bool
    ) -> tuple[list[Entry], Mapping[Key, Item]]:
        """Read in which order items stand in a partition, and the items (and others) by key."""
        entries = index.partitions.get(partition, [])
        older = {} if is_consistent else self._all_stale(table, index)
        if not older:
            return entries, table.items
        kept = [entry for entry in entries if entry[1:] not in older]
        places = (index.place_of(item, key) for key, item in older.items())
        kept += [place[1] for place in places if place and place[0] == partition]
        return sorted(kept), ChainMap(older, table.items)

    def everything(
        self, table: Table, index: Index, *, is_consistent: bool
    ) -> tuple[list[tuple[str, Entry]], Mapping[Key, Item]]:
        """Read all partitions' entries, in no order, and the items by key."""
        older = {} if is_consistent else self._all_stale(table, index)
        kept = [
            (partition, entry)
            for partition, entries in index.partitions.items()
            for entry in entries
            if entry[1:] not in older
        ]
        places = (index.place_of(item, key) for key, item in older.items())
        return kept + [place for place in places if place], ChainMap(older, table.items)

    def _all_stale(self, table: Table, index: Index) -> dict[Key, Item]:
        """What a read sees of items as they were; an empty item for one that was not there."""
        before = self._before.get(table.spec.name, {})
        found = {key: self._stale(table, index, key) for key in list(before)}
        return {key: older[0] or {} for key, older in found.items() if older}

    def _stale(self, table: Table, index: Index, key: Key) -> tuple[Item | None] | None:
        """Decide whether a read sees an item as it was, and return what it was."""
        before = self._before.get(table.spec.name, {})
        if self.chance is None or key not in before:
            return None
        horizon = self.now() - STALE_SECONDS
        versions = [version for version in before[key] if version[0] > horizon]
        if not versions:
            del before[key]
            return None
        before[key], seen = versions, None
        for _, item in reversed(versions):
            if self.chance.draw("stale", table.spec.name, index.name, *key) >= STALE_SHARE:
                break
            seen = (item,)
        return seen
