"""The text of expressions: words, signs and the paths that all of them are made of.

Names (`#x`) are put in their places while an expression is read, values (`:x`) when it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from infra.simulation.dynamodb.refusals import validation
from infra.simulation.dynamodb.reserved_words import RESERVED_WORDS
from infra.simulation.dynamodb.values import Item, Value
from infra.simulation.transport import ServiceError

MAX_BYTES = 4096
_TOKEN = re.compile(
    r"\s*(?:([A-Za-z][A-Za-z0-9_]*|#[A-Za-z0-9_]+|:[A-Za-z0-9_]+|[0-9]+"
    r"|<>|<=|>=|[=<>().,+\-\[\]])|(\S))"
)
Place = tuple[str | int, ...]
"""Where a value is in an item: names of attributes, and positions in lists."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Path:
    """A place in an item, to be read."""

    place: Place

    def read(self, item: Item, _values: Mapping[str, Value]) -> Value | None:
        """Find what is there, if anything."""
        first, *rest = self.place
        found = item.get(first)  # type: ignore[arg-type]
        for part in rest:
            if found is None:
                return None
            found = step(found, part)
        return found


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that comes with the request."""

    name: str

    def read(self, _item: Item, values: Mapping[str, Value]) -> Value | None:
        """Find it."""
        return values[self.name]


def step(value: Value, part: str | int) -> Value | None:
    """Go one part of a path further into a value."""
    if isinstance(part, str):
        found: Value | None = value.get("M", {}).get(part)
        return found
    elements: list[Value] = value.get("L", [])
    return elements[part] if part < len(elements) else None


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """An expression that was read, with the names and values, and the attributes, that it uses."""

    tree: T
    names: frozenset[str]
    values: frozenset[str]
    attributes: frozenset[str]


class Reader:
    """Reads the tokens of one expression, one after another."""

    def __init__(self, slot: str, text: str, names: Mapping[str, str]) -> None:
        if len(text.encode()) > MAX_BYTES:
            raise self._fault(slot, "Expression size has exceeded the maximum allowed size")
        self._slot = slot
        self._names = names
        self._tokens: list[str] = []
        for token, wrong in _TOKEN.findall(text):
            if wrong:
                raise self._fault(slot, f'Syntax error; token: "{wrong}"')
            self._tokens.append(token)
        if not self._tokens:
            raise self._fault(slot, "The expression can not be empty")
        self._tokens.append("<EOF>")
        self._at = 0
        self._last_group = (0, 0)
        self.used_names: set[str] = set()
        self.used_values: set[str] = set()
        self.used_attributes: set[str] = set()

    @staticmethod
    def _fault(slot: str, what: str) -> ServiceError:
        return validation(f"Invalid {slot}: {what};")

    def fault(self, what: str) -> ServiceError:
        """Word what is wrong with the expression."""
        return self._fault(self._slot, what)

    def peek(self, ahead: int = 0) -> str:
        """Look at a token that comes; keywords are upper case."""
        token = self._tokens[min(self._at + ahead, len(self._tokens) - 1)]
        return token.upper() if token[0].isalpha() else token

    def take(self) -> str:
        """Take the next token as it is written."""
        token = self._tokens[self._at]
        self._at += 1
        return token

    def has(self, *wanted: str) -> bool:
        """Take the next token if it is one of these."""
        if self.peek() not in wanted:
            return False
        self._at += 1
        return True

    def expect(self, wanted: str) -> None:
        """Take this very token."""
        if not self.has(wanted):
            raise self.wrong_token()

    def wrong_token(self) -> ServiceError:
        """Word that the next token has no place here."""
        near = " ".join(self._tokens[max(self._at - 1, 0) : self._at + 2])
        return self.fault(f'Syntax error; token: "{self._tokens[self._at]}", near: "{near}"')

    @contextmanager
    def group(self) -> Iterator[None]:
        """Read what is in parentheses, after the first one; that may not be a group and no more."""
        start = self._at
        yield
        if self._last_group == (start, self._at):
            raise self.fault("The expression has redundant parentheses")
        self.expect(")")
        self._last_group = (start - 1, self._at)

    def listed(self, read: Callable[[], T]) -> list[T]:
        """Read one thing or more, with commas between."""
        found = [read()]
        while self.has(","):
            found.append(read())
        return found

    def at_call(self, *functions: str) -> bool:
        """Whether a call of one of these functions comes next; they are written in lower case."""
        return self._tokens[self._at] in functions and self.peek(1) == "("

    def at_value(self) -> bool:
        """Whether a value comes next."""
        return self.peek().startswith(":")

    def literal(self) -> Literal:
        """Read a value's name."""
        if not self.at_value():
            raise self.wrong_token()
        name = self.take()
        self.used_values.add(name)
        return Literal(name)

    def path(self) -> Path:
        """Read a path."""
        first = self._name()
        self.used_attributes.add(first)
        place: list[str | int] = [first]
        while self.peek() in (".", "["):
            if self.take() == ".":
                place.append(self._name())
                continue
            if not self.peek().isdigit():
                raise self.wrong_token()
            place.append(int(self.take()))
            self.expect("]")
        return Path(tuple(place))

    def _name(self) -> str:
        token = self.peek()
        if token.startswith("#"):
            self.used_names.add(token)
            if token not in self._names:
                raise self.fault(
                    "An expression attribute name used in the document path is not defined;"
                    f" attribute name: {token}"
                )
            self._at += 1
            return self._names[token]
        if not token[0].isalpha():
            raise self.wrong_token()
        if token.lower() in RESERVED_WORDS:
            raise self.fault(
                f"Attribute name is a reserved keyword; reserved keyword: {self.take()}"
            )
        return self.take()


Grammar = Callable[[Reader], T]


@lru_cache(maxsize=4096)
def _parse(
    slot: str, text: str, names: tuple[tuple[str, str], ...], grammar: Grammar[Any]
) -> Parsed[Any]:
    reader = Reader(slot, text, dict(names))
    tree = grammar(reader)
    if reader.peek() != "<EOF>":
        raise reader.wrong_token()
    used = (reader.used_names, reader.used_values, reader.used_attributes)
    return Parsed(tree, *map(frozenset, used))


def parse(slot: str, text: str, names: Mapping[str, str], grammar: Grammar[T]) -> Parsed[T]:
    """Read an expression; the same text with the same names is read once."""
    return _parse(slot, text, tuple(names.items()), grammar)


def overlap(places: Iterable[Place]) -> bool:
    """Whether one place is, or is in, another one."""
    seen = list(places)
    known = set(seen)
    inner = (place[:length] for place in seen for length in range(1, len(place)))
    return len(known) < len(seen) or any(outer in known for outer in inner)
