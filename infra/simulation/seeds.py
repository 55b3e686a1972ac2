"""The random search: one number is a whole run, its payments, its faults and its interleaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.simulation.deployment import deployment_of
from infra.simulation.failures import Failure
from infra.simulation.faults import Chosen, Fault, Plan, Random
from infra.simulation.kernel import Kernel
from infra.simulation.report import Numbers
from infra.simulation.runs import Run, run
from infra.simulation.scenarios import MIXED, SCENARIOS
from infra.simulation.shrinking import Tries, shrunk
from infra.simulation.stages import LOCAL
from infra.simulation.trace import Names, trace

KINDS: Mapping[str, tuple[Fault, ...]] = {
    "kill": (Fault.KILLED_BEFORE, Fault.KILLED_AFTER),
    "lost": (Fault.LOST, Fault.LOST_TWICE),
    "refused": (Fault.REFUSED, Fault.CONFLICTED, Fault.PARTIAL),
    "duplicated": (Fault.DUPLICATED,),
    "late": (Fault.LATE, Fault.LATE_TWICE, Fault.DELAYED),
    "stalled": (Fault.STALLED, Fault.STALLED_LONG),
}
"""Faults by the words of the command line."""
_MOODS: tuple[tuple[str, ...], ...] = (
    (),
    *((kind,) for kind in KINDS),
    ("kill", "late"),
    ("lost", "duplicated"),
    tuple(KINDS),
    tuple(KINDS),
)
"""What a run has much of. Without faults there is disorder still: no two seeds interleave alike."""
LEAST_CHANCE, MOST_CHANCE = 0.004, 0.08
"""Of each kind at each call. With more, nothing gets anywhere for as long as faults last."""
FAULT_SECONDS = (30.0, 150.0)


@dataclass(frozen=True, slots=True)
class Search:
    """What seeds are tried on: which payments, and which kinds of faults may happen.

    `at` gives the faults themselves instead, by call: that is how a failure is had again. Strict
    runs are those of the exhaustive search.
    """

    scenario: str = MIXED.name
    payments: tuple[int, ...] = tuple(range(6))
    kinds: tuple[str, ...] = tuple(KINDS)
    at: tuple[tuple[str, Fault], ...] = ()
    is_strict: bool = False
    stage: str = LOCAL


@dataclass(frozen=True, slots=True)
class Trial:
    """A seed of a search; with a trace, its run is told in whole."""

    search: Search
    seed: int
    with_trace: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a seed. `mood` says which faults could happen.

    `missed` names calls that were to fail and were never made.
    """

    seed: int
    numbers: Numbers
    failure: Failure | None
    mood: str
    trace: tuple[str, ...]
    missed: tuple[str, ...]


def try_seed(trial: Trial) -> Tried:
    """Run a seed to its end."""
    search, seed = trial.search, trial.seed
    whole = _run(search, seed, search.payments, _plan(search, seed))
    numbers, names = Numbers(seeds=1), Names()
    numbers.count(whole)
    told = tuple(trace(whole, with_reads=False, names=names)) if trial.with_trace else ()
    return Tried(
        seed,
        numbers,
        _failure(whole, search, search.payments) if whole.violations else None,
        names.short(_mood(search, seed)),
        told,
        tuple(name for name, fault in search.at if (name, fault) not in whole.injected),
    )


def shrink(found: tuple[Search, Failure]) -> Failure:
    """Make a failure of a search small: first fewer payments, then fewer faults."""
    search, failure = found
    tries, name = Tries(), failure.violations[0].name
    best = failure

    def fails(payments: Sequence[int], plan: Plan) -> bool:
        nonlocal best
        tried = _run(search, failure.seed, payments, plan)
        is_same = any(violation.name == name for violation in tried.violations)
        if is_same:
            best = _failure(tried, search, payments)
        return is_same

    # One payment is left: an option that names none would mean all.
    plan = _plan(search, failure.seed)
    shrunk(failure.payments, lambda p: bool(p) and fails(p, plan), tries)
    shrunk(
        list(best.faults.items()),
        lambda faults: fails(best.payments, Chosen(dict(faults))),
        tries,
    )
    # What was in the way of the fewer faults may be gone.
    faults = Chosen(best.faults)
    shrunk(best.payments, lambda p: bool(p) and fails(p, faults), tries)
    return best


def chances_of(seed: int, kinds: Sequence[str]) -> dict[Fault, float]:
    """Draw how likely each fault is in a run: much of some kinds, little or nothing of others."""
    draw = Kernel(seed, 0.0).draw
    mood = _MOODS[int(len(_MOODS) * draw("mood"))]
    span = MOST_CHANCE / LEAST_CHANCE
    much = LEAST_CHANCE * span ** draw("chance")
    return {
        fault: (much if kind in mood else LEAST_CHANCE if mood else 0.0) / len(faults)
        for kind, faults in KINDS.items()
        for fault in faults
        if kind in kinds
    }


def _plan(search: Search, seed: int) -> Plan:
    if search.at:
        return Chosen(dict(search.at))
    draw = Kernel(seed, 0.0).draw
    low, high = FAULT_SECONDS
    until = low + (high - low) * draw("until")
    return Random(draw, chances_of(seed, search.kinds), until)


def _run(search: Search, seed: int, payments: Sequence[int], plan: Plan) -> Run:
    scenario = MIXED if search.scenario == MIXED.name else SCENARIOS[search.scenario]
    deployment, is_strict = deployment_of(search.stage), search.is_strict
    return run(deployment, scenario, seed, plan, payments=payments, is_strict=is_strict)


def _failure(run: Run, search: Search, payments: Sequence[int]) -> Failure:
    told = payments if search.scenario == MIXED.name else ()
    return Failure.of(run, told, is_strict=search.is_strict, stage=search.stage)


def _mood(search: Search, seed: int) -> str:
    if search.at:
        return ", ".join(f"{fault} at {name}" for name, fault in search.at)
    chances = chances_of(seed, search.kinds).items()
    return ", ".join(f"{fault} {chance:.2%}" for fault, chance in chances if chance) or "none"
