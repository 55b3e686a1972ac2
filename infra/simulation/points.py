"""Where a scenario can break, each way once: points that can not be told apart are tried as one.

Two kinds of points are alike, by what a fault there can change:

- **Kills.** Of an invocation that dies, the world keeps what it had changed, and nothing else. So a
  kill before a call is the kill that came before: after the invocation's last change, or before its
  first call where it has changed nothing. Only the instant differs, by the time of some reads.
- **Refused reads of nothing.** The sweeper asks shard after shard. Where shards hold nothing, and
  the invocation has changed nothing in between, it makes no difference which of them refuses.

The random search makes no such distinction: it may kill anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.simulation.faults import Fault
from infra.simulation.gate import Passed

OF_SEEDS = Fault.DELAYED
"""What the random search is for: where a delay matters, each of its lengths does."""
NOTHING = "nothing"
"""What a query is told to have answered that found no item."""
Point = tuple[str, Fault]
"""A call's name, and what goes wrong there."""
_ACTIVITY = re.compile(r"[^/.(]*(\(.*\))?[^/.]*")


@dataclass(slots=True)
class Points:
    """What to try, and for what else that stands."""

    calls: int = 0
    tried: list[Point] = field(default_factory=list)
    alike: dict[Point, Point] = field(default_factory=dict)


def points_of(passed: Sequence[Passed]) -> Points:
    """Take the points of a run in which nothing went wrong."""
    points = Points()
    invocations: dict[str, _Invocation] = {}
    for line in passed:
        invocation = invocations.setdefault(activity(line.call.name), _Invocation())
        faults = [fault for fault in line.call.possible if fault is not OF_SEEDS]
        points.calls += bool(faults)
        for fault in faults:
            point = line.call.name, fault
            other = invocation.like(line, fault)
            if other is None:
                points.tried.append(point)
            else:
                points.alike[point] = other
        invocation.note(line)
    return points


def activity(name: str) -> str:
    """Return whose call it is by the call's name: the invocation, whichever of its tasks it was."""
    found = _ACTIVITY.match(name)
    return found[0] if found else name


class _Invocation:
    """What an invocation has done so far, as far as its kills and its reads can tell."""

    def __init__(self) -> None:
        self._last_kill: Point | None = None
        self._settled_at = 0.0
        self._empty: dict[tuple[str, str], Point] = {}

    def like(self, line: Passed, fault: Fault) -> Point | None:
        """Return the point of before that this one can not be told from, if there is one."""
        if fault is Fault.KILLED_BEFORE and self._settled_at <= line.at:
            return self._last_kill
        if fault is Fault.REFUSED:
            return self._empty.get(_asked(line))
        # A change that is on its way comes, or does not: that depends on the instant.
        return None

    def note(self, line: Passed) -> None:
        """Take a call in."""
        if self._last_kill is None:
            self._last_kill = line.call.name, Fault.KILLED_BEFORE
        if line.call.changes:
            self._last_kill = line.call.name, Fault.KILLED_AFTER
            self._settled_at = max(self._settled_at, line.ended_at)
            self._empty.clear()
        elif line.answer == NOTHING:
            self._empty.setdefault(_asked(line), (line.call.name, Fault.REFUSED))


def _asked(line: Passed) -> tuple[str, str]:
    """Say what was asked for, but for the shard: a partition's name ends with it."""
    return line.call.operation, line.call.subject.rpartition("#")[0]
