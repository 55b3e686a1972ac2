"""The numbers of a search: what was tried, and what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.simulation.faults import Fault


@dataclass
class Numbers:
    """Counts of many runs. Two searches are added up by `add`.

    A call point is an outside call of a scenario at which faults were tried, one in each run.
    """

    scenarios: int = 0
    seeds: int = 0
    runs: int = 0
    payments: int = 0
    call_points: int = 0
    calls: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    virtual_seconds: float = 0.0
    violations: int = 0

    def add(self, other: Numbers) -> None:
        """Add what another search counted."""
        self.scenarios += other.scenarios
        self.seeds += other.seeds
        self.runs += other.runs
        self.payments += other.payments
        self.call_points += other.call_points
        self.calls += other.calls
        self.faults.update(other.faults)
        self.virtual_seconds += other.virtual_seconds
        self.violations += other.violations

    def rows(self) -> Iterator[tuple[str, str]]:
        """Return what to print of it, by name."""
        if self.scenarios:
            yield "scenarios", f"{self.scenarios:,}"
            yield "call points", f"{self.call_points:,}"
        if self.seeds:
            yield "seeds", f"{self.seeds:,}"
        yield "runs", f"{self.runs:,}"
        yield "payments", f"{self.payments:,}"
        yield "outside calls", f"{self.calls:,}"
        yield "faults", f"{self.faults.total():,}"
        for fault in Fault:
            if self.faults[fault]:
                yield f"  {fault.value}", f"{self.faults[fault]:,}"
        yield "virtual hours", f"{self.virtual_seconds / 3600:,.1f}"
        yield "violations", f"{self.violations:,}"
