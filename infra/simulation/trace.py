"""A run as a person reads it: who called what, when, what went wrong there, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from math import inf
from operator import itemgetter

from infra.simulation.gate import Passed
from infra.simulation.points import activity
from infra.simulation.runs import Run

WIDTH = 150
"""Of a line; a trace is the same on every terminal."""
_WHO = 32
_OUTCOME = 90
"""Of a refusal in the models' words; the rest of the line says what was called."""
_ID = re.compile(r"\b(chg|end|evt|inb|pay|re|rfd)_([a-z2-7]{8})[a-z2-7]*")


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


def trace(run: Run, *, with_reads: bool, names: Names | None = None) -> Iterator[str]:
    """Tell a run, a line for each call and each change of a payment, a refund or a delivery.

    Without reads, only those that failed are told. `names` are for what else is told of the run.
    """
    names = names or Names()
    told = [line for line in run.passed if with_reads or line.call.changes or _is_eventful(line)]
    lines = [(line.at, _line(line, more, names)) for line, more in _gathered(told)]
    changes = [(at, f"{'':16}{'':{_WHO}}  = {names.short(text)}") for at, text in run.told]
    yield from (text for _, text in merge(lines, changes, key=itemgetter(0)))


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
    called = [(activity(line.call.name), line.call.operation) for line in (one, other)]
    return called[0] == called[1]


def _is_eventful(line: Passed) -> bool:
    return line.fault is not None or bool(line.outcome)


def _line(line: Passed, more: int, names: Names) -> str:
    call = line.call
    who = names.short(call.name)
    what = call.target.value
    if call.operation != what:
        what += f" {call.operation}"
    if call.subject != call.operation:
        what += f" {names.short(call.subject)}"
    end = _end(line, more, names)
    room = max(WIDTH - len(end) - 17 - max(len(who), _WHO), len(call.target.value) + 1)
    what = what if len(what) <= room else what[: room - 1] + "…"
    mark = "!" if line.fault else " "
    return f"{mark} +{line.at:8.3f} s  {who:<{_WHO}}  {what}{end}".rstrip()


def _end(line: Passed, more: int, names: Names) -> str:
    came = " ".join(names.short(line.outcome or line.answer).split())
    came = came if len(came) <= _OUTCOME else came[: _OUTCOME - 1] + "…"
    end = f"  → {came}" if came else ""
    if more:
        end += f"  (and {more} more like it)"
    return end + (f"  *** {line.fault.value}{_how_long(line)} ***" if line.fault else "")


def _how_long(line: Passed) -> str:
    if not line.stalled_seconds:
        return ""
    # Killed meanwhile, or frozen with its environment, which nobody has used again.
    end = "" if line.ended_at < inf else ", and never came back"
    return f" for {line.stalled_seconds:.1f} s{end}"
