"""A run as a person reads it: who called what, when, what went wrong there, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from infra.simulation.gate import Passed

WIDTH = 150
"""Of a line; a trace is the same on every terminal."""
_WHO = 32
_ID = re.compile(r"\b([a-z]{3})_([a-z2-7]{8})[a-z2-7]*")


class Names:
    """Short names for ids: the first payment that is seen is `pay-1`.

    Calls show ids cut to different lengths; eight characters tell the ids of one run apart.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def short(self, text: str) -> str:
        """Return the text with its ids made short."""
        return _ID.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        kind, start = found.groups()
        if start not in self._known:
            self._numbers[kind] = self._numbers.get(kind, 0) + 1
            self._known[start] = f"{kind}-{self._numbers[kind]}"
        return self._known[start]


def trace(passed: Sequence[Passed], *, with_reads: bool) -> Iterator[str]:
    """Tell a run's calls, a line each; without reads, only those that were refused are told."""
    names = Names()
    told = [line for line in passed if with_reads or line.call.changes or _is_eventful(line)]
    for line, more in _gathered(told):
        yield _line(line, more, names)


def _gathered(passed: Iterable[Passed]) -> Iterator[tuple[Passed, int]]:
    """Take reads of one kind in a row together, and count what is not shown.

    A sweep reads every shard of many minutes, mostly to find nothing.
    """
    first: Passed | None = None
    more = 0
    for line in passed:
        if first is not None and _is_alike(first, line):
            more += 1
            continue
        if first is not None:
            yield first, more
        first, more = line, 0
    if first is not None:
        yield first, more


def _is_alike(one: Passed, other: Passed) -> bool:
    if any(line.call.changes or _is_eventful(line) for line in (one, other)):
        return False
    return _activity(one) == _activity(other) and one.call.operation == other.call.operation


def _is_eventful(line: Passed) -> bool:
    return line.fault is not None or bool(line.outcome)


def _activity(line: Passed) -> str:
    """Whose call it is: the invocation, whichever of its tasks made it."""
    name = line.call.name
    end = name.rfind(")") + 1 or len(name.partition("/")[0].rpartition(".")[0])
    return name[:end] if end else name


def _line(line: Passed, more: int, names: Names) -> str:
    call = line.call
    who = names.short(call.name)
    what = call.target.value
    if call.operation != what:
        what += f" {call.operation}"
    if call.subject != call.operation:
        what += f" {names.short(call.subject)}"
    end = _end(line, more)
    room = WIDTH - len(end) - 17 - max(len(who), _WHO)
    what = what if len(what) <= room else what[: room - 1] + "…"
    mark = "!" if line.fault else " "
    return f"{mark} +{line.at:8.3f} s  {who:<{_WHO}}  {what}{end}".rstrip()


def _end(line: Passed, more: int) -> str:
    end = f"  → {line.outcome}" if line.outcome else ""
    if more:
        end += f"  (and {more} more like it)"
    return end + (f"  *** {line.fault.value} ***" if line.fault else "")
