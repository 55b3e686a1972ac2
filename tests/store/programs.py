"""Random programs for a database: puts, updates, deletes, transactions and queries of few keys.

A program is made of requests as the wire has them, so that both databases get the same.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from riel.store.items import encode

Request = dict[str, Any]
PARTITIONS = ("p1", "p2")
SORT_KEYS = ("a", "ab", "b")
NUMBERS = (-1, 0, 1, 2, 10)
TEXTS = ("a", "ab", "b", "ä")
_numbers = st.sampled_from(NUMBERS)
_texts = st.sampled_from(TEXTS)
_attributes = st.fixed_dictionaries(
    {},
    optional={
        "n": _numbers,
        "t": _texts,
        "either": _numbers | _texts,
        "l": st.lists(_numbers | _texts, max_size=3),
        "m": st.dictionaries(st.sampled_from(("x", "y")), _numbers, max_size=2),
        "due_pk": st.sampled_from(PARTITIONS),
        "due_sk": _texts,
    },
)
_keys = st.fixed_dictionaries({"pk": st.sampled_from(PARTITIONS), "sk": st.sampled_from(SORT_KEYS)})
# An expression that is a part of others, and what the value is drawn from that it needs, if any.
_CONDITIONS: tuple[tuple[str, st.SearchStrategy[Any] | None], ...] = (
    ("attribute_exists(pk)", None),
    ("attribute_not_exists(pk)", None),
    ("attribute_not_exists(n)", None),
    ("attribute_exists(m.x)", None),
    ("n = {}", _numbers),
    ("n <> {}", _numbers),
    ("n < {}", _numbers),
    ("m.x >= {}", _numbers),
    ("l[0] = {}", _numbers | _texts),
    ("t > {}", _texts),
    ("either <= {}", _numbers | _texts),
    ("either <> {}", _numbers | _texts),
    ("begins_with(t, {})", _texts),
    ("contains(l, {})", _numbers | _texts),
    ("contains(t, {})", _texts),
    ("size(l) < {}", _numbers),
    ("size(t) >= {}", _numbers),
    ("attribute_type(either, {})", st.sampled_from(("N", "S", "L"))),
    ("l = {}", st.lists(_numbers, max_size=2)),
)
_SETS: tuple[tuple[str, str, st.SearchStrategy[Any] | None], ...] = (
    ("n", "n = {}", _numbers),
    ("n", "n = n + {}", _numbers),
    ("n", "n = if_not_exists(n, {}) ", _numbers),
    ("n", "n = m.x", None),
    ("t", "t = {}", _texts),
    ("either", "either = t", None),
    ("either", "either = {}", _numbers | _texts),
    ("l", "l = list_append(l, {})", st.lists(_numbers, max_size=2)),
    ("l", "l = {}", st.lists(_texts, max_size=2)),
    ("l", "l[1] = {}", _numbers),
    ("l", "l[7] = {}", _texts),
    ("m", "m.x = {}", _numbers),
    ("m", "m = {}", st.dictionaries(st.sampled_from(("x", "y")), _numbers, max_size=2)),
    ("due_pk", "due_pk = {}", st.sampled_from(PARTITIONS)),
    ("due_sk", "due_sk = {}", _texts),
)
_REMOVALS = ("n", "t", "l", "l[0]", "due_sk")
_RETURNS = st.sampled_from(("NONE", "ALL_OLD"))
_UPDATE_RETURNS = st.sampled_from(("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_NEW"))


def _item(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: encode(value) for name, value in fields.items()}


class Values:
    """The values of one request, named in the order in which they are needed."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.named: dict[str, Any] = {}

    def fill(self, text: str, strategy: st.SearchStrategy[Any] | None) -> str:
        if strategy is None:
            return text
        name = f":v{len(self.named)}"
        self.named[name] = encode(self._draw(strategy))
        return text.format(name)

    def into(self, request: Request) -> Request:
        if self.named:
            request["ExpressionAttributeValues"] = self.named
        return request


def _condition(draw: st.DrawFn, values: Values) -> str:
    parts = draw(st.lists(st.sampled_from(_CONDITIONS), min_size=1, max_size=3))
    text = ""
    for part in parts:
        joint = draw(st.sampled_from((" AND ", " OR "))) if text else ""
        negation = "NOT " if draw(st.booleans()) and draw(st.booleans()) else ""
        text += joint + negation + values.fill(*part)
    return text


@st.composite
def puts(draw: st.DrawFn) -> Request:
    values = Values(draw)
    request: Request = {"Item": _item({**draw(_keys), **draw(_attributes)})}
    if draw(st.booleans()):
        request["ConditionExpression"] = _condition(draw, values)
        request["ReturnValuesOnConditionCheckFailure"] = draw(_RETURNS)
    return values.into(request)


@st.composite
def updates(draw: st.DrawFn) -> Request:
    values = Values(draw)
    sets = draw(st.lists(st.sampled_from(_SETS), max_size=3, unique_by=lambda one: one[0]))
    touched = {one[0] for one in sets}
    free = [name for name in _REMOVALS if name.partition("[")[0] not in touched]
    removals = draw(st.lists(st.sampled_from(free), max_size=1)) if free else []
    expression = ""
    if sets:
        expression += "SET " + ", ".join(values.fill(text, one) for _, text, one in sets)
    if removals:
        expression += " REMOVE " + ", ".join(removals)
    request: Request = {"Key": _item(draw(_keys))}
    if expression:
        request["UpdateExpression"] = expression
    else:
        request["UpdateExpression"] = "ADD n " + values.fill("{}", _numbers)
    if "l[0]" in removals:
        # The engine lets an element be removed from a list that is not there; DynamoDB does not.
        request["ConditionExpression"] = "attribute_exists(l)"
    elif draw(st.booleans()):
        request["ConditionExpression"] = _condition(draw, values)
        request["ReturnValuesOnConditionCheckFailure"] = draw(_RETURNS)
    return values.into(request)


@st.composite
def deletes(draw: st.DrawFn) -> Request:
    values = Values(draw)
    request: Request = {"Key": _item(draw(_keys))}
    if draw(st.booleans()):
        request["ConditionExpression"] = _condition(draw, values)
    return values.into(request)


@st.composite
def checks(draw: st.DrawFn) -> Request:
    values = Values(draw)
    request = {"Key": _item(draw(_keys)), "ConditionExpression": _condition(draw, values)}
    return values.into(request)


@st.composite
def queries(draw: st.DrawFn) -> Request:
    values = Values(draw)
    index = draw(st.booleans())
    first, second = ("due_pk", "due_sk") if index else ("pk", "sk")
    request: Request = {"IndexName": "due"} if index else {"ConsistentRead": True}
    texts = st.sampled_from(SORT_KEYS)
    key = values.fill(f"{first} = {{}}", st.sampled_from(PARTITIONS))
    match draw(st.sampled_from(("", "=", "<", ">=", ">", "begins_with", "BETWEEN"))):
        case "":
            pass
        case "begins_with":
            key += values.fill(f" AND begins_with({second}, {{}})", texts)
        case "BETWEEN":
            key += values.fill(f" AND {second} BETWEEN {{}} AND ", texts)
            key += values.fill("{}", texts)
        case sign:
            key += values.fill(f" AND {second} {sign} {{}}", texts)
    request["KeyConditionExpression"] = key
    request["ScanIndexForward"] = draw(st.booleans())
    if draw(st.booleans()):
        request["Limit"] = draw(st.integers(1, 3))
    if not index and draw(st.booleans()):
        part = draw(st.sampled_from(_CONDITIONS[2:]))
        request["FilterExpression"] = values.fill(*part)
    return values.into(request)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, Request]:
    """One call: the client's method, and its parameters without the table's name."""
    match draw(st.sampled_from(("put", "update", "update", "delete", "transact", "query"))):
        case "put":
            return "put_item", draw(puts()) | {"ReturnValues": draw(_RETURNS)}
        case "update":
            return "update_item", draw(updates()) | {"ReturnValues": draw(_UPDATE_RETURNS)}
        case "delete":
            return "delete_item", draw(deletes()) | {"ReturnValues": draw(_RETURNS)}
        case "query":
            return "query", draw(queries())
        case _:
            kinds = {"Put": puts(), "Update": updates(), "Delete": deletes()}
            kinds["ConditionCheck"] = checks()
            chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=3))
            actions = [{kind: draw(kinds[kind])} for kind in chosen]
            return "transact_write_items", {"TransactItems": actions}


programs = st.lists(steps(), min_size=1, max_size=10)
