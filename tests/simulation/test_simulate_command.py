"""`riel simulate`: the same bytes for the same seed, a verdict, and a failure to have again."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra.cli import simulate, simulate_screens
from infra.cli.main import app
from infra.simulation.failures import Failure
from infra.simulation.faults import Fault
from infra.simulation.invariants import Violation
from infra.simulation.report import Numbers
from infra.simulation.searches import Found, Tell
from infra.simulation.seeds import Search, Trial, try_seed

RIEL = Path(sys.executable).parent / "riel"
BROKEN = Failure(
    scenario="mixed",
    seed=17,
    payments=(2, 5),
    faults={"processor(pay_a.r1)/1.3": Fault.KILLED_AFTER, "p2.1": Fault.LOST},
    violations=(Violation("charged once", "pay_a was charged 2 times", 3.25),),
    trace=("  +   0.000 s  p2.1  api POST", "! +   1.000 s  p2.1  api POST  *** lost ***"),
)


def riel(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RIEL, "simulate", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_seed_prints_the_same_bytes_whatever_surrounds_it() -> None:
    arguments = ("--seed", "7", "--seeds", "2", "--payments", "2")

    first = riel(*arguments, PYTHONHASHSEED="1", COLUMNS="60")
    second = riel(
        *arguments, PYTHONHASHSEED="2", COLUMNS="200", TZ="Asia/Tokyo", AWS_PROFILE="nobody"
    )

    assert (first.returncode, first.stderr) == (0, second.stderr)
    assert first.stdout == second.stdout
    assert first.stdout.startswith("Seed 7: mixed, 2 payments; faults: ")
    assert first.stdout.endswith("Every invariant held.\n")
    for words in ("POST /api/v1/payments", " is completed", "seeds", "virtual hours"):
        assert words in first.stdout
    assert len(first.stdout.splitlines()) > 50


def test_json_tells_the_same_for_programs() -> None:
    answer = riel("--scenario", "card-declined", "--seeds", "1", "--faults", "lost,late", "--json")
    document = json.loads(answer.stdout)

    assert answer.returncode == 0
    assert (document["verdict"], document["failures"]) == ("held", [])
    assert document["random"]["seeds"] == document["random"]["payments"] == 1
    assert document["exhaustive"] is None
    tried = try_seed(Trial(Search("card-declined", kinds=("lost", "late")), 1, with_trace=True))
    assert document["first_seed"]["trace"] == list(tried.trace)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--faults", "lost,fire"), "--faults: there is no 'fire'."),
        (("--faults", "none,lost"), "--faults: there is no 'none,lost'."),
        (("--faults", ""), "--faults: there is no ''."),
        (("--scenario", "heist"), "--scenario: there is no 'heist'."),
        (("--only", "1,x"), "--only: '1,x' is no list of payments."),
        (("--at", "p0.1"), "--at: 'p0.1' is no call and fault."),
        (("--at", "p0.1=fire"), "--at: 'p0.1=fire' is no call and fault."),
        (("--seed", "-1"), "--seed"),
        (("--seeds", "0"), "--seeds"),
        (("--payments", "101"), "--payments"),
        (("--stage", "dev"), "Only the local stage can be simulated, not dev."),
    ],
)
def test_a_bad_option_is_named(arguments: tuple[str, ...], words: str) -> None:
    answer = CliRunner().invoke(app, ["simulate", *arguments])

    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stdout == ""


def test_a_failure_is_told_with_the_command_that_has_it_again() -> None:
    out = io.StringIO()
    found = Found(random=Numbers(seeds=17, runs=17, violations=1), failures=[BROKEN])

    simulate_screens.print_found(Console(file=out, width=40), Search(), found)

    told = out.getvalue()
    assert "Seed 17 of mixed fails, with 2 faults" in told
    assert "! +   1.000 s  p2.1  api POST  *** lost ***" in told
    assert "broken: charged once: pay_a was charged 2 times" in told
    assert (
        "simulate --scenario mixed --seed 17 --only 2,5"
        " --at 'processor(pay_a.r1)/1.3=killed-after' --at p2.1=lost"
    ) in told
    assert told.endswith("1 run broke an invariant.\n")


def test_what_fails_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(_pool: object, _search: Search, _seeds: object, found: Found, _tell: Tell) -> None:
        found.failures.append(BROKEN)

    monkeypatch.setattr(simulate, "try_seeds", planted)
    answer = CliRunner().invoke(app, ["simulate", "--json"])

    assert answer.exit_code == 1
    (failure,) = json.loads(answer.stdout)["failures"]
    assert failure["replay"] == f"riel simulate {BROKEN.options}"
    assert failure["violations"] == [
        {"name": "charged once", "text": "pay_a was charged 2 times", "at_seconds": 3.25}
    ]


def test_a_fault_at_a_call_happens_and_one_at_no_call_is_told() -> None:
    at = ("--scenario", "card-completed", "--at")
    answer = riel(*at, "p0.1=lost", "--json")
    document = json.loads(answer.stdout)

    assert document["random"]["faults"] == document["random"]["faults_by_kind"]["lost"] == 1
    assert document["first_seed"]["faults"] == "lost at p0.1"
    missed = riel(*at, "p0.99=lost")
    assert (missed.returncode, missed.stdout) == (2, "")
    assert "--at: this run has no call p0.99." in missed.stderr
