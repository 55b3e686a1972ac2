"""A run that failed: what is needed to have it again, and what a person reads of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.simulation.faults import Fault
from infra.simulation.invariants import Violation
from infra.simulation.runs import Run
from infra.simulation.trace import trace


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run, by its scenario, its seed, which payments it had, and its faults by call."""

    scenario: str
    seed: int
    payments: tuple[int, ...]
    faults: Mapping[str, Fault]
    violations: tuple[Violation, ...]
    trace: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, payments: Sequence[int]) -> Failure:
        """Keep of a run what can go to another process."""
        return cls(
            run.scenario,
            run.seed,
            tuple(payments),
            dict(run.injected),
            tuple(run.violations),
            tuple(trace(run, with_reads=True)),
        )

    @property
    def options(self) -> str:
        """What `riel simulate` needs to show this run again."""
        faults = [f"--at {shlex.quote(f'{name}={fault}')}" for name, fault in self.faults.items()]
        only = ",".join(map(str, self.payments))
        return " ".join(
            [
                f"--scenario {self.scenario} --seed {self.seed}",
                *([f"--only {only}"] if only else []),
                *(faults or ["--faults none"]),
            ]
        )
