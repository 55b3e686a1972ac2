"""The numbers of a search: what was tried, and what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.simulation.faults import Fault
from infra.simulation.runs import Run


@dataclass
class Numbers:
    """Counts of many runs.

    A call point is an outside call of a scenario at which faults were tried, each in its own run.
    """

    scenarios: int = 0
    call_points: int = 0
    alike: int = 0
    seeds: int = 0
    runs: int = 0
    payments: int = 0
    refunds: int = 0
    webhooks: int = 0
    invocations: int = 0
    calls: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    virtual_seconds: float = 0.0
    dead_letters: int = 0
    reviews: int = 0
    violations: int = 0

    def count(self, run: Run) -> None:
        """Count a run."""
        self.runs += 1
        self.payments += run.payments
        self.refunds += run.refunds
        self.webhooks += run.webhooks
        self.invocations += run.invocations
        self.calls += len(run.passed)
        self.faults.update(fault for _, fault in run.injected)
        self.virtual_seconds += run.virtual_seconds
        self.dead_letters += run.dead_letters
        self.reviews += run.reviews
        self.violations += len(run.violations)

    def add(self, other: Numbers) -> None:
        """Add what another part of a search has counted."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                self.faults.update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def document(self) -> dict[str, int | float | dict[str, int]]:
        """Return them for programs; a search has scenarios or seeds, and does not tell of 0."""
        told = {
            "scenarios": self.scenarios,
            "call_points": self.call_points,
            "points_tried_as_another": self.alike,
            "seeds": self.seeds,
        }
        return {
            **{name: number for name, number in told.items() if number},
            "runs": self.runs,
            "payments": self.payments,
            "refunds": self.refunds,
            "webhooks": self.webhooks,
            "invocations": self.invocations,
            "outside_calls": self.calls,
            "faults": self.faults.total(),
            "faults_by_kind": {fault.value: self.faults[fault] for fault in Fault},
            "virtual_hours": round(self.virtual_seconds / 3600, 2),
            "dead_letters": self.dead_letters,
            "reviews": self.reviews,
            "violations": self.violations,
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """Return them for people, by name."""
        for name, value in self.document().items():
            if isinstance(value, dict):
                yield from ((f"  {kind}", f"{number:,}") for kind, number in value.items())
            else:
                yield name.replace("_", " "), f"{value:,}"
