"""The searches for a mutant: where it should be found, and what finding it means.

Imported in a process that has its mutant already, because the simulator imports the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from infra.simulation.deployment import deployment_of
from infra.simulation.faults import Chosen
from infra.simulation.points import points_of
from infra.simulation.runs import Run, run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.seeds import KINDS, Search, Trial, try_seed
from tests.simulation.mutants import named
from tests.simulation.mutants.mutant import SEEDS, Place
from tests.simulation.verdicts import Verdict

QUICK_RUNS = 60
"""How far a quick search goes on: a change of the product moves what a seed leads to."""
MOST_RUNS = 200
MIXED = Place()
_NOT_THE_PRODUCT = "the simulator works"

Found = tuple[str, str] | None


def hunt(name: str, *, is_quick: bool) -> list[Verdict]:
    """Do the searches for a mutant, each until its first violation."""
    place = named(name).place
    if is_quick:
        return [_search(name, place, place.begin, QUICK_RUNS)]
    first = _search(name, MIXED, 1, MOST_RUNS)
    if place.scenario == MIXED.scenario:
        return [first]
    return [first, _search(name, place, 1, MOST_RUNS)]


def fails(verdict: Verdict) -> bool:
    """Whether the run that caught a mutant finds something in this process's product, too."""
    place = Place(verdict.search, verdict.scenario)
    _, found = next(_runs(place, verdict.number))
    return found is not None


def _search(name: str, place: Place, begin: int, most: int) -> Verdict:
    tried = 0
    for tried, (at, found) in enumerate(_runs(place, begin), start=1):
        if found is not None:
            number = begin + tried - 1
            return Verdict(
                name, place.search, place.scenario, tried, number, True, at, found[0], found[1]
            )
        if tried == most:
            break
    return Verdict(name, place.search, place.scenario, tried)


def _runs(place: Place, begin: int) -> Iterator[tuple[str, Found]]:
    return _seeds(place, begin) if place.search == SEEDS else _faults(place, begin)


def _seeds(place: Place, begin: int) -> Iterator[tuple[str, Found]]:
    """Try seeds: of the mixed workload with faults, of a scenario without."""
    kinds = tuple(KINDS) if place.scenario == MIXED.scenario else ()
    search = Search(scenario=place.scenario, kinds=kinds)
    for seed in count(begin):
        failure = try_seed(Trial(search, seed)).failure
        first = failure.violations[0] if failure else None
        yield f"seed {seed}", _told(first.name, first.text) if first else None


def _faults(place: Place, begin: int) -> Iterator[tuple[str, Found]]:
    """Try a scenario's calls with one fault each, in their order."""
    for name, fault in points_of(_one(place, {}).passed).tried[begin - 1 :]:
        violations = _one(place, {name: fault}).violations
        first = violations[0] if violations else None
        yield f"{fault} at {name}", _told(first.name, first.text) if first else None


def _one(place: Place, faults: dict[str, Any]) -> Run:
    scenario = SCENARIOS[place.scenario]
    return run(deployment_of("local"), scenario, 1, Chosen(faults), is_strict=True)


def _told(name: str, text: str) -> Found:
    """That the simulator itself broke proves nothing."""
    return None if name == _NOT_THE_PRODUCT else (name, text)
