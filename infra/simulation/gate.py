"""The one gate through which every outside call of a run goes: it takes time, and it can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError
from greenlet import GreenletExit

from infra.simulation.faults import OF_AWS, Call, Fault, Plan, Target
from infra.simulation.kernel import Kernel, Owner, Task
from infra.simulation.transport import ServiceError

FASTEST_SECONDS = 0.002
SLOWEST_SECONDS = 0.030
DELAYED_SECONDS = (0.5, 26.0)
"""How long after its caller has given up a request comes that is delayed."""
STALLED_SECONDS = (1.0, 25.0)
"""How long an environment stands still: a function's deadline may come first."""
BEFORE_CUT_OFF_SECONDS = (0.1, 0.9)
"""How long before its deadline one goes on that stands still for long: a batch answers by then."""
IN_FLIGHT = "in-flight"
"""What the task is called that brings an effect which comes late."""
_AGAIN = (Fault.REFUSED, Fault.LOST_TWICE, Fault.LATE_TWICE)
"""What happens to the SDK's own repetition of a call, too."""
EXPECTED = (ServiceError, BotoCoreError, httpx.HTTPError, OSError)
"""What calls fail with in the real world; anything else that a model raises is its defect."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What an outside call is, and what its caller sees when it fails.

    `patience_seconds` is how long the caller waits for an answer. `lost` and `refused` make the
    errors, as the caller's library would raise them. `told` says in a word what was answered.
    """

    target: Target
    operation: str
    subject: str
    changes: bool
    patience_seconds: float
    lost: Callable[[], Exception]
    refused: Callable[[], Exception]
    conflicted: Callable[[], Exception] | None = None
    told: Callable[[Any], str] = lambda _answer: ""


@dataclass(slots=True)
class Passed:
    """A line of the trace: a call, when it was made, what was answered, or how it failed."""

    at: float
    call: Call
    fault: Fault | None
    outcome: str = ""
    answer: str = ""
    ended_at: float = inf
    stalled_seconds: float = 0.0


@dataclass(slots=True)
class Gate:
    """Passes calls; `kill` ends the environment that a task belongs to."""

    kernel: Kernel
    plan: Plan
    kill: Callable[[Owner, str], None]
    late_seconds: float
    """When what is late comes: a request that was stuck somewhere, and each lease is over."""
    passed: list[Passed] = field(default_factory=list)
    injected: list[tuple[str, Fault]] = field(default_factory=list)
    last_fault_at: float = 0.0
    in_flight: int = 0
    """Effects that come late, and have not come yet."""
    defects: list[Exception] = field(default_factory=list)
    """What a model should never raise; whoever called it may have swallowed it."""
    _again: dict[tuple[str, str], tuple[Fault, float]] = field(default_factory=dict)

    def make(self, outside: Outside, effect: Callable[[], Any]) -> Any:
        """Make a call whose effect, at one moment, is `effect`; whatever it raises is its answer.

        Outside of any task (while a world is set up, or checked) it takes no time and works.
        """
        if self.kernel.is_closed:
            # Whoever was killed unwinds now, and a `finally` of its would go on working.
            raise GreenletExit
        task = self.kernel.current
        if task is None:
            return effect()
        effect = self._watched(effect)
        task.calls += 1
        call = Call(
            f"{task.name}.{task.calls}",
            outside.target,
            outside.operation,
            outside.subject,
            outside.changes,
            task.owner is not None,
            outside.conflicted is not None,
        )
        line = Passed(self.kernel.elapsed, call, None)
        self.passed.append(line)
        self.kernel.sleep(self._latency(call))
        line.fault = self._fault(task.name, call)
        try:
            answer = self._make(outside, effect, line, task)
        except Exception as error:
            line.outcome, line.ended_at = _named(error), self.kernel.elapsed
            raise
        line.answer, line.ended_at = outside.told(answer), self.kernel.elapsed
        return answer

    def between(self, call: Call) -> Fault | None:
        """Note something that no task does, such as a mapping's receive; return what goes wrong."""
        line = Passed(self.kernel.elapsed, call, self._planned(call))
        self.passed.append(line)
        return line.fault

    def _latency(self, call: Call) -> float:
        draw = self.kernel.draw("latency", call.name)
        return FASTEST_SECONDS + (SLOWEST_SECONDS - FASTEST_SECONDS) * draw**3

    def _planned(self, call: Call) -> Fault | None:
        fault = self.plan.choose(call, self.kernel.elapsed)
        if fault is not None:
            self.injected.append((call.name, fault))
            self.last_fault_at = self.kernel.elapsed
        return fault

    def _fault(self, task: str, call: Call) -> Fault | None:
        # The SDK's own repetition of a call fails like the call.
        again = self._again.pop((task, call.operation), None)
        if again and self.kernel.now <= again[1] and call.target in OF_AWS:
            return again[0]
        fault = self._planned(call)
        if fault in _AGAIN:
            self._again[task, call.operation] = fault, self.kernel.now + 4
        return fault

    def _make(self, outside: Outside, effect: Callable[[], Any], line: Passed, task: Task) -> Any:
        fault, owner, caller = line.fault, task.owner, task.name
        gives_up_at = self.kernel.now + outside.patience_seconds
        match fault:
            case Fault.KILLED_BEFORE if owner:
                self._die(owner, fault)
            case Fault.KILLED_AFTER if owner:
                _let(effect)
                self._die(owner, fault)
            case Fault.LOST | Fault.LOST_TWICE:
                _let(effect)
                self.kernel.sleep(gives_up_at - self.kernel.now)
                raise outside.lost()
            case Fault.LATE | Fault.LATE_TWICE | Fault.DELAYED:
                self.in_flight += 1
                late = self.late_seconds
                if fault is Fault.DELAYED:
                    late = outside.patience_seconds + self._seconds(DELAYED_SECONDS, line.call)
                self.kernel.after(late, lambda: self._later(effect, caller))
                self.kernel.sleep(outside.patience_seconds)
                raise outside.lost()
            case Fault.STALLED | Fault.STALLED_LONG if owner:
                self._stall(owner, line)
            case Fault.REFUSED:
                raise outside.refused()
            case Fault.CONFLICTED if outside.conflicted:
                raise outside.conflicted()
            case Fault.DUPLICATED:
                self.in_flight += 1
                self._later(effect, caller)
        return effect()

    def _stall(self, owner: Owner, line: Passed) -> None:
        line.stalled_seconds = self._seconds(STALLED_SECONDS, line.call)
        if line.fault is Fault.STALLED_LONG:
            until = owner.cut_off_at - self._seconds(BEFORE_CUT_OFF_SECONDS, line.call)
            line.stalled_seconds = max(0.0, until - self.kernel.now)
        self.kernel.freeze(owner, line.stalled_seconds)
        self.last_fault_at = self.kernel.elapsed

    def _seconds(self, bounds: tuple[float, float], call: Call) -> float:
        low, high = bounds
        return low + (high - low) * self.kernel.draw("seconds", call.name)

    def _later(self, effect: Callable[[], Any], caller: str) -> None:
        # A task of its own, because an effect may wait: a PSP takes its time.
        self.last_fault_at = self.kernel.elapsed

        def arrive() -> None:
            _let(effect)
            self.in_flight -= 1

        self.kernel.spawn(f"{IN_FLIGHT}({caller})", arrive)

    def _watched(self, effect: Callable[[], Any]) -> Callable[[], Any]:
        def watched() -> Any:
            try:
                return effect()
            except EXPECTED:
                raise
            except Exception as error:
                self.defects.append(error)
                self.kernel.is_ending = True
                raise

        return watched

    def _die(self, owner: Owner, fault: Fault) -> None:
        self.kill(owner, fault)
        self.kernel.park()


def _let(effect: Callable[[], Any]) -> None:
    try:
        effect()
    except Exception:  # noqa: BLE001 - nobody is there to hear of it
        return


def _named(error: Exception) -> str:
    """Say how a call failed; what nobody expects, with its reason."""
    code = str(getattr(error, "code", "")).rpartition("#")[2] or type(error).__name__
    if code == "ValidationException" or not isinstance(error, EXPECTED):
        return f"{code}: {getattr(error, 'message', error)}"
    return code
