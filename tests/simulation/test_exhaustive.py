"""Every outside call of every scenario is broken in every way, and every invariant holds."""

from __future__ import annotations

import pytest

from infra.simulation.deployment import Deployment
from infra.simulation.exhaustive import SEED, SPREAD, Part, _calm, explore, to_try
from infra.simulation.failures import Failure
from infra.simulation.faults import Chosen, Fault
from infra.simulation.points import Point, Points, kind, points_of
from infra.simulation.runs import run
from infra.simulation.scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_single_fault_breaks_an_invariant(scenario: str) -> None:
    """`make simulate` breaks every call of each scenario; here each kind of call is broken."""
    explored = explore(Part(scenario, is_whole=False))

    assert not [told(failure) for failure in explored.failures]


def test_the_parts_of_a_scenario_are_all_of_it_and_try_each_fault(deployment: Deployment) -> None:
    found = points(deployment, "webhook-not-wanted")
    numbers = [explore(Part("webhook-not-wanted", number, 3)).numbers for number in range(3)]

    assert sum(one.faults.total() for one in numbers) == len(found.tried)
    assert sum(one.runs for one in numbers) == len(found.tried) + 1
    assert sum(one.call_points for one in numbers) == found.calls
    assert sum(one.scenarios for one in numbers) == 1
    assert {fault for one in numbers for fault in one.faults} == set(Fault)


@pytest.mark.parametrize(("scenario", "every"), [("card-completed", 1), ("voucher-canceled", 9)])
def test_points_that_are_tried_as_another_come_out_like_it(
    scenario: str, every: int, deployment: Deployment
) -> None:
    def outcome(point: Point) -> list[str]:
        tried = run(deployment, SCENARIOS[scenario], SEED, Chosen(dict([point])), is_strict=True)
        assert tried.injected == [point]
        return sorted(text for _, text in tried.told)

    alike = list(points(deployment, scenario).alike.items())[::every]

    assert len(alike) > 10
    assert [point for point, other in alike if outcome(point) != outcome(other)] == []


def test_each_kind_of_call_meets_each_of_its_faults_in_some_scenarios() -> None:
    whole = {name: kinds(to_try(Part(name)), name) for name in SCENARIOS}
    chosen = {name: kinds(to_try(Part(name, is_whole=False)), name) for name in SCENARIOS}

    for one in set().union(*whole.values()):
        having = [name for name in SCENARIOS if one in whole[name]]
        trying = [name for name in SCENARIOS if one in chosen[name]]
        assert len(trying) == min(len(having), SPREAD)
        assert (trying[0], trying[-1]) == (having[0], having[-1])
    assert all(len(set(one)) == len(one) for one in chosen.values())


def kinds(tried: list[Point], scenario: str) -> list[tuple[str, ...]]:
    lines = {line.call.name: line for line in _calm(scenario, SEED, "local").passed}
    return [kind(lines[name], fault) for name, fault in tried]


def points(deployment: Deployment, scenario: str) -> Points:
    return points_of(run(deployment, SCENARIOS[scenario], SEED, Chosen({})).passed)


def told(failure: Failure) -> str:
    broken = "; ".join(f"{one.name}: {one.text}" for one in failure.violations)
    return f"{broken} (riel simulate {failure.options})"
