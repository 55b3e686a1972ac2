"""Both searches over all cores, and what they found, in an order that no core changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from infra.simulation.exhaustive import Part, explore
from infra.simulation.failures import Failure
from infra.simulation.processes import Processes
from infra.simulation.report import Numbers
from infra.simulation.seeds import Search, Trial, Tried, shrink, try_seed
from infra.simulation.stages import LOCAL

PARTS = 12
"""Of each scenario: a part is some seconds of work."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Found:
    """What was found: the first seed in whole, numbers, and failures, a random one made small.

    `untried` counts the seeds that nobody tried any more, because of a failure.
    """

    first: Tried | None = None
    exhaustive: Numbers = field(default_factory=Numbers)
    random: Numbers = field(default_factory=Numbers)
    failures: list[Failure] = field(default_factory=list)
    untried: int = 0


def explore_all(
    pool: Processes,
    scenarios: Sequence[str],
    found: Found,
    tell: Tell,
    note: Tell,
    *,
    stage: str = LOCAL,
) -> None:
    """Try every fault at every call of these scenarios, one at a time; note each that is done."""
    parts = [
        Part(name, number, PARTS, stage=stage) for name in scenarios for number in range(PARTS)
    ]
    for number, explored in enumerate(pool.ask(explore, parts)):
        found.exhaustive.add(explored.numbers)
        found.failures += explored.failures
        tell(f"exhaustive: part {number + 1} of {len(parts)}")
        if (number + 1) % PARTS == 0:
            note(f"exhaustive: {parts[number].scenario} is done")


def try_seeds(
    pool: Processes, search: Search, seeds: Sequence[int], found: Found, tell: Tell
) -> None:
    """Try seeds until the first that fails; that one is made small, unless its faults are given."""
    trials = [Trial(search, seed, with_trace=seed == seeds[0]) for seed in seeds]
    for number, tried in enumerate(pool.ask(try_seed, trials)):
        found.first = found.first or tried
        found.random.add(tried.numbers)
        tell(f"random: seed {number + 1} of {len(seeds)}")
        if tried.failure is not None:
            found.untried = len(seeds) - number - 1
            tell(f"making seed {tried.seed} small")
            small = [tried.failure] if search.at else pool.ask(shrink, [(search, tried.failure)])
            found.failures += small
            break
