"""The simulator can fail: each mistake that is kept here is found, and by what it breaks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.simulation.mutants import GROUPS, MUTANTS
from tests.simulation.mutants.mutant import ROOT, Mutant
from tests.simulation.mutation_table import DOCUMENT, written


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_product_as_it_is_now(mutant: Mutant) -> None:
    mistaken = mutant.source()

    assert mistaken != mutant.path.read_text()
    compile(mistaken, mutant.path, "exec")


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", GROUPS)
def test_every_mutant_is_caught_within_sixty_runs(group: str) -> None:
    names = [mutant.name for mutant in GROUPS[group]]
    command = [sys.executable, "-m", "tests.simulation.mutation", "--quick", *names]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [verdict["mutant"] for verdict in verdicts] == names, done.stderr
    assert [verdict for verdict in verdicts if not verdict["is_caught"]] == []
    assert done.returncode == 0


def test_a_product_without_a_mistake_is_not_caught() -> None:
    """What finds mutants must not find anything in what they were made of."""
    script = (
        "from tests.simulation.hunting import fails\n"
        "from tests.simulation.mutants import MUTANTS\n"
        "from tests.simulation.verdicts import Verdict\n"
        "places = {mutant.place for mutant in MUTANTS}\n"
        "told = [Verdict('', p.search, p.scenario, 1, p.begin) for p in places]\n"
        "assert not [verdict for verdict in told if fails(verdict)]\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_table_of_the_documents_has_each_mutant() -> None:
    table = DOCUMENT.read_text()

    assert [mutant.name for mutant in MUTANTS if f"| `{mutant.name}` |" not in table] == []


def test_a_table_tells_where_each_mutant_was_caught() -> None:
    verdict = {"mutant": MUTANTS[0].name, "search": "seeds", "is_caught": True}
    mixed = {**verdict, "scenario": "mixed", "tried": 19, "number": 19, "invariant": "one"}
    alone = {**verdict, "scenario": "card-twice-at-once", "tried": 2, "number": 2, "invariant": "x"}

    (row,) = written([mixed, alone])[2:]

    assert row == (
        f"| `{MUTANTS[0].name}` | {MUTANTS[0].mistake} | one | 19 | `card-twice-at-once`: 2 |"
    )
