"""Reading: one item, many items, a partition page by page, a whole table page by page."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from infra.simulation.dynamodb.key_conditions import Entry, key_range
from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.requests import Expressions, read_expressions
from infra.simulation.dynamodb.storage import Storage
from infra.simulation.dynamodb.tables import Index, Key, Table
from infra.simulation.dynamodb.values import Item, item_bytes, seal_item

MAX_PAGE_BYTES = 1024 * 1024
MAX_BATCH_KEYS = 100
UNPROCESSED_SHARE = 0.05
"""How often a batch leaves a key for later, where that is left to chance."""
Request = Mapping[str, Any]
Answer = dict[str, Any]


def get_item(storage: Storage, request: Request) -> Answer:
    """GetItem."""
    table = storage.table(request["TableName"])
    expressions = read_expressions(request)
    key = table.key_of(request["Key"])
    item = storage.read(table, key, is_consistent=request.get("ConsistentRead", False))
    return {} if item is None else {"Item": expressions.project(item)}


def batch_get_item(storage: Storage, request: Request) -> Answer:
    """BatchGetItem: in any order, and perhaps not all."""
    asked = request["RequestItems"]
    if not 0 < sum(len(part["Keys"]) for part in asked.values()) <= MAX_BATCH_KEYS:
        raise validation("Too many items requested for the BatchGetItem call, or none")
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, Any] = {}
    for name, part in asked.items():
        done, left = _read_batch(storage, storage.table(name), part)
        responses[name] = done
        if left:
            unprocessed[name] = {**part, "Keys": left}
    return {"Responses": responses, "UnprocessedKeys": unprocessed}


def _read_batch(storage: Storage, table: Table, part: Request) -> tuple[list[Item], list[Item]]:
    expressions = read_expressions(part)
    wanted = {table.key_of(attributes): attributes for attributes in part["Keys"]}
    if len(wanted) < len(part["Keys"]):
        raise validation("Provided list of item keys contains duplicates")
    ordered = list(wanted)
    if storage.chance:
        draw, name = storage.chance.draw, table.spec.name
        ordered.sort(key=lambda key: draw("order", name, *key))
        # At least one is always read; a batch that reads nothing is refused as a whole.
        later = {key for key in ordered[1:] if draw("later", name, *key) < UNPROCESSED_SHARE}
    else:
        later = set()
    is_consistent = part.get("ConsistentRead", False)
    now = [key for key in ordered if key not in later]
    found = [storage.read(table, key, is_consistent=is_consistent) for key in now]
    done = [expressions.project(item) for item in found if item is not None]
    return done, [wanted[key] for key in ordered if key in later]


def query(storage: Storage, request: Request) -> Answer:
    """Query, of a table or an index."""
    table = storage.table(request["TableName"])
    expressions = read_expressions(request)
    index = _index_of(table, request)
    condition = expressions.tree("KeyConditionExpression")
    if condition is None:
        raise validation("Either the KeyConditions or KeyConditionExpression parameter is needed")
    wanted = key_range(condition, expressions.values, index.key)
    _expect_no_keys_in_filter(expressions, index)
    entries, items = storage.partition(
        table, index, wanted.partition, is_consistent=request.get("ConsistentRead", False)
    )
    start, end = wanted.cut(entries)
    is_forward = request.get("ScanIndexForward", True)
    if "ExclusiveStartKey" in request:
        partition, last = _position(table, index, request["ExclusiveStartKey"])
        if partition != wanted.partition or wanted.cut([last]) != (0, 1):
            raise validation("The provided starting key is outside query boundaries")
        if is_forward:
            start = max(start, bisect_right(entries, last))
        else:
            end = min(end, bisect_left(entries, last))
    chosen = entries[start:end] if is_forward else entries[start:end][::-1]
    return _page(request, table, index, expressions, ((e[1], e[2]) for e in chosen), items)


def scan(storage: Storage, request: Request) -> Answer:
    """Scan, of a table or an index: partitions in an order that nobody knows."""
    table = storage.table(request["TableName"])
    expressions = read_expressions(request)
    index = _index_of(table, request)
    everything, items = storage.everything(
        table, index, is_consistent=request.get("ConsistentRead", False)
    )
    chosen = sorted(_scan_order(*place) for place in everything)
    if "ExclusiveStartKey" in request:
        last = _scan_order(*_position(table, index, request["ExclusiveStartKey"]))
        chosen = chosen[bisect_right(chosen, last) :]
    keys = ((entry[1], entry[2]) for *_, entry in chosen)
    return _page(request, table, index, expressions, keys, items)


def _scan_order(partition: str, entry: Entry) -> tuple[int, str, Entry]:
    return crc32(partition.encode()), partition, entry


def _index_of(table: Table, request: Request) -> Index:
    name = request.get("IndexName")
    if name is None:
        return table.itself
    if name not in table.indexes:
        raise validation(f"The table does not have the specified index: {name}")
    if request.get("ConsistentRead"):
        raise validation("Consistent reads are not supported on global secondary indexes")
    return table.indexes[name]


def _expect_no_keys_in_filter(expressions: Expressions, index: Index) -> None:
    parsed = expressions.parsed.get("FilterExpression")
    if parsed and parsed.attributes & {*index.key}:
        raise validation(
            "Filter Expression can only contain non-primary key attributes:"
            f" Primary key attribute: {', '.join(parsed.attributes)}"
        )


def _position(table: Table, index: Index, start_key: Mapping[str, Any]) -> tuple[str, Entry]:
    """Read where a page ended."""
    attributes = seal_item(start_key)
    keys = table.keys_of(attributes, index)
    names = {*table.spec.key, *index.key} - {None}
    if keys.keys() != names or any("S" not in value for value in keys.values()):
        raise validation("The provided starting key is invalid")
    place = index.place_of(attributes, table.key_in(attributes))
    if place is None or len(attributes) != len(keys):
        raise validation("The provided starting key is invalid")
    return place


def _page(
    request: Request,
    table: Table,
    index: Index,
    expressions: Expressions,
    keys: Iterable[Key],
    items: Mapping[Key, Item],
) -> Answer:
    """Read on until the limit or a megabyte, then judge what was read by the filter."""
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise validation("Limit must be greater than or equal to 1")
    read: list[Item] = []
    size, is_cut = 0, False
    for key in keys:
        item = index.projected(items[key])
        size += item_bytes(item)
        is_cut = len(read) == limit or (bool(read) and size > MAX_PAGE_BYTES)
        if is_cut:
            break
        read.append(item)
    # DynamoDB does not look whether anything comes behind the limit.
    is_cut = is_cut or len(read) == limit
    found = [item for item in read if expressions.allow(item, "FilterExpression")]
    answer: Answer = {"Count": len(found), "ScannedCount": len(read)}
    if request.get("Select") != "COUNT":
        answer["Items"] = [expressions.project(item) for item in found]
    if is_cut:
        answer["LastEvaluatedKey"] = table.keys_of(read[-1], index)
    return answer
