"""A run that failed: what is needed to have it again, and what a person reads of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infra.simulation.faults import Fault
from infra.simulation.invariants import Violation
from infra.simulation.runs import Run
from infra.simulation.stages import LOCAL
from infra.simulation.trace import Names, trace


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run, by its scenario, its seed, which payments it had, and its faults by call.

    Payments are of the mixed scenario alone. Violations have the short names of the trace. In a
    strict run no operator comes.
    """

    scenario: str
    seed: int
    payments: tuple[int, ...]
    faults: Mapping[str, Fault]
    violations: tuple[Violation, ...]
    trace: tuple[str, ...]
    is_strict: bool = False
    stage: str = LOCAL

    @classmethod
    def of(
        cls, run: Run, payments: Sequence[int], *, is_strict: bool = False, stage: str = LOCAL
    ) -> Failure:
        """Keep of a run what can go to another process."""
        names = Names()
        told = tuple(trace(run, with_reads=True, names=names))
        return cls(
            run.scenario,
            run.seed,
            tuple(payments),
            dict(run.injected),
            tuple(replace(one, text=names.short(one.text)) for one in run.violations),
            told,
            is_strict,
            stage,
        )

    @property
    def options(self) -> str:
        """What `riel simulate` needs to show this run again."""
        faults = [f"--at {shlex.quote(f'{name}={fault}')}" for name, fault in self.faults.items()]
        only = ",".join(map(str, self.payments))
        return " ".join(
            [
                *([f"--stage {self.stage}"] if self.stage != LOCAL else []),
                f"--scenario {self.scenario} --seed {self.seed}",
                *([f"--only {only}"] if only else []),
                *(faults or ["--seeds 1 --faults none"]),
                *(["--strict"] if self.is_strict else []),
            ]
        )
