"""Seeds: many payments and faults at once, in a run that its number tells all of."""

from __future__ import annotations

from typing import Any

import pytest

from infra.simulation import seeds
from infra.simulation.deployment import Deployment
from infra.simulation.faults import Fault
from infra.simulation.invariants import Violation
from infra.simulation.runs import Run, run
from infra.simulation.seeds import KINDS, Search, Trial, chances_of, shrink, try_seed

SEEDS_OF_A_TEST = 10
TESTS = 10


@pytest.mark.parametrize("first", range(1, SEEDS_OF_A_TEST * TESTS, SEEDS_OF_A_TEST))
def test_no_seed_breaks_an_invariant(first: int) -> None:
    tried = [try_seed(Trial(Search(), first + number)) for number in range(SEEDS_OF_A_TEST)]

    failures = [one.failure for one in tried if one.failure]
    assert not [(failure.violations, f"riel simulate {failure.options}") for failure in failures]
    assert sum(one.numbers.payments for one in tried) > SEEDS_OF_A_TEST
    assert sum(one.numbers.faults.total() for one in tried) > SEEDS_OF_A_TEST


def test_some_seeds_have_much_of_a_fault_and_some_have_none() -> None:
    chances = [chances_of(seed, tuple(KINDS)) for seed in range(100)]

    calm = [one for one in chances if not any(one.values())]
    assert 0 < len(calm) < 30
    for fault in Fault:
        drawn = [one[fault] for one in chances if one not in calm]
        assert max(drawn) > 10 * min(drawn) > 0


def test_only_faults_that_were_asked_for_happen() -> None:
    tried = try_seed(Trial(Search(kinds=("lost",)), 9))

    assert set(tried.numbers.faults) <= {Fault.LOST, Fault.LOST_TWICE}
    assert try_seed(Trial(Search(kinds=()), 9)).numbers.faults.total() == 0


def test_a_payment_less_leaves_the_others_as_they_were(deployment: Deployment) -> None:
    calm = Search(payments=(0, 1, 2, 3), kinds=())
    fewer = Search(payments=(1, 3), kinds=())

    asked, kept = (
        {
            (line.call.name, line.at)
            for line in seeds._run(search, 4, search.payments, seeds._plan(search, 4)).passed
            if line.call.name.split(".")[0] in ("p1", "p3")
        }
        for search in (calm, fewer)
    )

    assert len(kept) >= 2
    assert {name for name, _ in kept} == {name for name, _ in asked}


def test_a_failure_is_made_small_and_can_be_had_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs and their faults are real; the verdict on two faults together is planted."""
    real, search, seed = run, Search(payments=(0, 1, 2)), 21
    injected = list(seeds._run(search, seed, search.payments, seeds._plan(search, seed)).injected)
    needed = {injected[3], injected[len(injected) // 2]}
    tries = 0

    def judged(*given: Any, **named: Any) -> Run:
        nonlocal tries
        tries += 1
        run = real(*given, **named)
        run.violations = [Violation("planted", "", 0.0)] if needed <= set(run.injected) else []
        return run

    monkeypatch.setattr(seeds, "run", judged)
    found = try_seed(Trial(search, seed)).failure
    assert found is not None
    small = shrink((search, found))

    assert needed <= set(small.faults.items())
    for left_out in small.faults.items():
        fewer = tuple(one for one in small.faults.items() if one != left_out)
        assert try_seed(Trial(Search(payments=small.payments, at=fewer), seed)).failure is None
    assert len(small.payments) < len(search.payments)
    assert tries < 100
    again = Search(payments=small.payments, at=tuple(small.faults.items()))
    assert try_seed(Trial(again, seed)).failure == small
