"""The exhaustive search: each outside call of a scenario, broken in each way, once at a time.

A scenario is run without faults first; that run's calls are the points. Then each point and each
of its faults get a run of their own, to the end. With one fault alone nothing may be left behind:
not even a dead letter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from infra.simulation.deployment import deployment_of
from infra.simulation.failures import Failure
from infra.simulation.faults import Chosen, Fault
from infra.simulation.points import points_of
from infra.simulation.report import Numbers
from infra.simulation.runs import Run, run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.stages import LOCAL

SEED = 2
"""Whose first sweep comes late: most runs heal by their queues alone, and end before it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Every `of`-th run of a scenario's search, from the one with this number on."""

    scenario: str
    number: int = 0
    of: int = 1
    seed: int = SEED
    stage: str = LOCAL


@dataclass(slots=True)
class Explored:
    """What came of a part."""

    numbers: Numbers = field(default_factory=Numbers)
    failures: list[Failure] = field(default_factory=list)

    def take(self, run: Run, stage: str) -> None:
        """Count a run, and keep it if it failed."""
        self.numbers.count(run)
        if run.violations:
            self.failures.append(Failure.of(run, (), is_strict=True, stage=stage))


def explore(part: Part) -> Explored:
    """Run what a part is about."""
    explored = Explored()
    calm = _calm(part.scenario, part.seed, part.stage)
    points = points_of(calm.passed)
    if part.number == 0:
        explored.take(calm, part.stage)
        explored.numbers.scenarios = 1
        explored.numbers.call_points = points.calls
        explored.numbers.alike = len(points.alike)
    for name, fault in points.tried[part.number :: part.of]:
        broken = _run(part.scenario, part.seed, {name: fault}, part.stage)
        explored.take(broken, part.stage)
    return explored


@cache
def _calm(scenario: str, seed: int, stage: str) -> Run:
    return _run(scenario, seed, {}, stage)


def _run(scenario: str, seed: int, faults: dict[str, Fault], stage: str) -> Run:
    plan = Chosen(faults)
    return run(deployment_of(stage), SCENARIOS[scenario], seed, plan, is_strict=True)
