"""Updates: what an UpdateExpression makes of an item.

Everything on the right is read from the item as it was; then SET, REMOVE, ADD and DELETE are done
to a copy. Values are never changed in place, because items share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from infra.simulation.dynamodb.refusals import refused_update, validation
from infra.simulation.dynamodb.syntax import Literal, Path, Place, Reader, overlap
from infra.simulation.dynamodb.values import Item, Value, add
from infra.simulation.transport import ServiceError

Values = Mapping[str, Value]
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")
_SETS = frozenset({"SS", "NS", "BS"})
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_WRONG_PLACE = "The document path provided in the update expression is invalid for update"
_MISSING = "The provided expression refers to an attribute that does not exist in the item"


class Term(Protocol):
    """What an attribute is set to."""

    def read(self, item: Item, values: Values) -> Value | None:
        """Find or reckon the value."""


@dataclass(frozen=True, slots=True)
class IfNotExists:
    """`if_not_exists(path, value)`."""

    path: Path
    otherwise: Term

    def read(self, item: Item, values: Values) -> Value | None:
        """Find what is there, or take the other value."""
        found = self.path.read(item, values)
        return _needed(self.otherwise, item, values) if found is None else found


@dataclass(frozen=True, slots=True)
class ListAppend:
    """`list_append(list, list)`."""

    first: Term
    second: Term

    def read(self, item: Item, values: Values) -> Value | None:
        """Put one list behind the other."""
        first, second = _needed(self.first, item, values), _needed(self.second, item, values)
        if "L" not in first or "L" not in second:
            raise refused_update(_WRONG_TYPE)
        return {"L": first["L"] + second["L"]}


@dataclass(frozen=True, slots=True)
class Sum:
    """`a + b`, or with a `sign` of -1 `a - b`."""

    first: Term
    sign: int
    second: Term

    def read(self, item: Item, values: Values) -> Value | None:
        """Add the two numbers."""
        first, second = _needed(self.first, item, values), _needed(self.second, item, values)
        return _sum(first, second, self.sign)


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one place. A REMOVE has no operand."""

    clause: str
    place: Place
    operand: Term | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A whole update, its changes in the order in which they are done."""

    changes: tuple[Change, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """All places that it changes."""
        return tuple(change.place for change in self.changes)

    def apply(self, item: Item, values: Values) -> Item:
        """Return the item as it is afterwards. Raises RefusedUpdateError."""
        after = dict(item)
        for change, wanted in [(one, self._wanted(one, item, values)) for one in self.changes]:
            _put(after, change.place, wanted, is_silent=change.clause == "DELETE")
        return after

    def _wanted(self, change: Change, item: Item, values: Values) -> Value | None:
        if change.operand is None:
            return None
        operand = _needed(change.operand, item, values)
        if change.clause == "SET":
            return operand
        known = Path(change.place).read(item, values)
        return (_added if change.clause == "ADD" else _taken_away)(known, operand)


def _needed(term: Term, item: Item, values: Values) -> Value:
    found = term.read(item, values)
    if found is None:
        raise refused_update(_MISSING)
    return found


def _sum(first: Value, second: Value, sign: int = 1) -> Value:
    if "N" not in first or "N" not in second:
        raise refused_update(_WRONG_TYPE)
    try:
        return add(first, second, sign)
    except ServiceError as error:
        raise refused_update(error.message) from error


def _added(known: Value | None, more: Value) -> Value:
    if known is None:
        return more
    ((kind, raw),) = more.items()
    if kind == "N":
        return _sum(known, more)
    if kind not in known:
        raise refused_update(_WRONG_TYPE)
    return {kind: sorted({*known[kind], *raw})}


def _taken_away(known: Value | None, less: Value) -> Value | None:
    if known is None:
        return None
    ((kind, raw),) = less.items()
    if kind not in known:
        raise refused_update(_WRONG_TYPE)
    left = [member for member in known[kind] if member not in raw]
    return {kind: left} if left else None


def _put(item: Item, place: Place, wanted: Value | None, *, is_silent: bool) -> None:
    """Put a value into a place of an item that nobody shares, or with None take it away."""
    first, rest = str(place[0]), place[1:]
    if rest:
        if first not in item:
            if is_silent:
                return
            raise refused_update(_WRONG_PLACE)
        item[first] = _with(item[first], rest, wanted, is_silent=is_silent)
    elif wanted is None:
        item.pop(first, None)
    else:
        item[first] = wanted


def _with(container: Value, place: Place, wanted: Value | None, *, is_silent: bool) -> Value:
    """Return a copy of a map or a list with a value in a place inside it, or without it."""
    part, rest = place[0], place[1:]
    kind = "M" if isinstance(part, str) else "L"
    if kind not in container:
        raise refused_update(_WRONG_PLACE)
    if isinstance(part, str):
        attributes = dict(container["M"])
        _put(attributes, place, wanted, is_silent=is_silent)
        return {"M": attributes}
    elements = list(container["L"])
    if part < len(elements):
        if rest:
            elements[part] = _with(elements[part], rest, wanted, is_silent=is_silent)
        else:
            elements[part : part + 1] = [] if wanted is None else [wanted]
    elif rest:
        raise refused_update(_WRONG_PLACE)
    elif wanted is not None:  # behind the end, wherever that is
        elements.append(wanted)
    return {"L": elements}


def read_update(reader: Reader) -> Update:
    """Read a whole update."""
    found: dict[str, list[Change]] = {}
    while (clause := reader.peek()) in _CLAUSES:
        reader.take()
        if clause in found:
            raise reader.fault(
                f'The "{clause}" section can only be used once in an update expression'
            )
        found[clause] = reader.listed(lambda clause=clause: _read_change(reader, clause))  # type: ignore[misc]
    changes = [change for clause in _CLAUSES for change in _in_order(found.get(clause, []))]
    if not changes:
        raise reader.wrong_token()
    if overlap(change.place for change in changes):
        raise reader.fault("Two document paths overlap with each other")
    return Update(tuple(changes))


def _in_order(changes: list[Change]) -> list[Change]:
    """Order changes of lists: what is set from the front, what is taken away from the back."""
    if all(isinstance(change.place[-1], str) for change in changes):
        return changes
    is_removal = changes[0].clause == "REMOVE"
    return sorted(changes, key=lambda change: _position(change.place), reverse=is_removal)


def _position(place: Place) -> tuple[tuple[bool, str | int], ...]:
    return tuple((isinstance(part, str), part) for part in place)


def _read_change(reader: Reader, clause: str) -> Change:
    place = reader.path().place
    if clause == "REMOVE":
        return Change(clause, place)
    if clause == "SET":
        reader.expect("=")
        return Change(clause, place, _read_sum(reader))
    return Change(clause, place, reader.literal())


def _read_sum(reader: Reader) -> Term:
    first = _read_term(reader)
    for token, sign in (("+", 1), ("-", -1)):
        if reader.has(token):
            return Sum(first, sign, _read_term(reader))
    return first


def _read_term(reader: Reader) -> Term:
    if reader.at_value():
        return reader.literal()
    if not reader.at_call("if_not_exists", "list_append"):
        return reader.path()
    is_default = reader.take() == "if_not_exists"
    reader.expect("(")
    path = reader.path() if is_default else None
    first = path or _read_term(reader)
    reader.expect(",")
    second = _read_term(reader)
    reader.expect(")")
    return IfNotExists(path, second) if path else ListAppend(first, second)


def check_update(update: Update, values: Values) -> None:
    """Refuse operands of ADD and DELETE that can never be right."""
    for change in update.changes:
        if change.clause in ("ADD", "DELETE") and isinstance(change.operand, Literal):
            (kind,) = values[change.operand.name]
            if kind not in (_SETS | {"N"} if change.clause == "ADD" else _SETS):
                raise validation(
                    "Incorrect operand type for operator or function;"
                    f" operator: {change.clause}, operand type: {kind}"
                )
