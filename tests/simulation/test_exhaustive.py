"""Every outside call of every scenario is broken in every way, and every invariant holds."""

from __future__ import annotations

import pytest

from infra.simulation.deployment import Deployment
from infra.simulation.exhaustive import SEED, Part, explore
from infra.simulation.failures import Failure
from infra.simulation.faults import Chosen, Fault
from infra.simulation.points import OF_SEEDS, Point, Points, points_of
from infra.simulation.runs import run
from infra.simulation.scenarios import SCENARIOS

PARTS = 3
"""Of each scenario, so that all cores have something to do until the end."""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_single_fault_breaks_an_invariant(scenario: str, part: int) -> None:
    explored = explore(Part(scenario, part, PARTS))

    assert not [told(failure) for failure in explored.failures]


def test_the_parts_of_a_scenario_are_all_of_it_and_try_each_fault(deployment: Deployment) -> None:
    found = points(deployment, "webhook-not-wanted")
    numbers = [explore(Part("webhook-not-wanted", number, 3)).numbers for number in range(3)]

    assert sum(one.faults.total() for one in numbers) == len(found.tried)
    assert sum(one.runs for one in numbers) == len(found.tried) + 1
    assert sum(one.call_points for one in numbers) == found.calls
    assert sum(one.scenarios for one in numbers) == 1
    assert {fault for one in numbers for fault in one.faults} == set(Fault) - {OF_SEEDS}


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


def points(deployment: Deployment, scenario: str) -> Points:
    return points_of(run(deployment, SCENARIOS[scenario], SEED, Chosen({})).passed)


def told(failure: Failure) -> str:
    broken = "; ".join(f"{one.name}: {one.text}" for one in failure.violations)
    return f"{broken} (riel simulate {failure.options})"
