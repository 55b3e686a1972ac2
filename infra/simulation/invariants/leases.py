"""Who may write: nobody takes what another one holds, and nobody writes over what he has not seen.

Most of what goes wrong here is mended further on, by the PSP's idempotency or by a look-up. It is
no less wrong for that: each of these guards stands alone somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.simulation.deployment import Deployment
from infra.simulation.dynamodb import Change
from infra.simulation.functions import MAX_SKEW_SECONDS, Environment
from infra.simulation.gate import IN_FLIGHT
from infra.simulation.kernel import Kernel, Task

Found = Iterator[tuple[str, str]]
Image = Mapping[str, Mapping[str, Any]]
HELD = "a lease keeps others away"
LOST = "only the holder writes"
OVERWRITTEN = "attempts are kept"
REOPENED = "a settled event stays so"
_SETTLED = ("processed", "foreign", "closed")


class Leases:
    """Watches the writes of a run."""

    def __init__(self, deployment: Deployment, kernel: Kernel) -> None:
        self._kernel = kernel
        self._holders: dict[str, str] = {}
        self._table = deployment.named("payments")

    def check(self, changes: Iterable[Change]) -> Found:
        """Name what the changes of one call break, and say how."""
        for change in changes:
            old, new = change.old, change.new
            if change.table != self._table or new is None:
                continue
            if "status" in new:
                yield from self._claim(old or {}, new)
            elif old is not None and "attempts" in new:
                yield from _delivery(old, new)
            elif old is not None and "body_sha256" in new:
                yield from _inbox(old, new)

    def _claim(self, old: Image, new: Image) -> Found:
        name = f"{new['pk']['S']} {new['sk']['S']}"
        now, task = self._kernel.now, self._kernel.current
        writer = _writer(task)
        if _number(new, "fence") == _number(old, "fence"):
            is_result = old.get("status", {}).get("S") == "processing"
            if is_result and old.get("lease_until") != new.get("lease_until"):
                holder = self._holders[name]
                if writer != holder:
                    yield LOST, f"{writer} has written to {name}, which {holder} holds"
            return
        self._holders[name] = writer
        left = _number(old, "lease_until") / 1000 - now
        if left > MAX_SKEW_SECONDS:
            yield HELD, f"{name} was claimed {left:.1f} s before another's lease ended"
        bare = _works_until(task) - _number(new, "lease_until") / 1000
        if bare > 0:
            yield HELD, f"{name}: its worker may go on for {bare:.1f} s after its lease"


def _writer(task: Task | None) -> str:
    """Name the task that makes a write, or made it when it left."""
    name = task.name if task else ""
    return name[len(IN_FLIGHT) + 1 : name.rindex(")")] if name.startswith(IN_FLIGHT) else name


def _works_until(task: Task | None) -> float:
    """Return when a task is cut off; 0 for one of an invocation that is over.

    Such a one was frozen with its environment, and looks at its lease before it sends anything.
    """
    owner = task.owner if task else None
    if task is None or not isinstance(owner, Environment) or owner.invocation is None:
        return 0.0
    return owner.cut_off_at if task.name.startswith(owner.invocation.name + "/") else 0.0


def _delivery(old: Image, new: Image) -> Found:
    before, after = _number(old, "attempt_count"), _number(new, "attempt_count")
    if old["attempts"] != new["attempts"] and after != before + 1:
        yield OVERWRITTEN, f"{new['sk']['S']}: its attempt {after} was written over"


def _inbox(old: Image, new: Image) -> Found:
    was, state = old["state"]["S"], new["state"]["S"]
    if was in _SETTLED and state not in _SETTLED:
        yield REOPENED, f"{new['pk']['S']} was {was} and is {state}"


def _number(image: Image, name: str) -> int:
    return int(image.get(name, {}).get("N", 0))
