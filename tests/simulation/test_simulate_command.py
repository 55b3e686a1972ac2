"""`riel simulate`: the same bytes for the same seed, a verdict, and a failure to have again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app
from infra.simulation.seeds import Search, Trial, try_seed
from tests.end_to_end.client import until

RIEL = Path(sys.executable).parent / "riel"
ABSENT = ("--scenario", "card-completed", "--at", "p0.1=lost", "--at", "p0.99=lost")


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
        (("--at", "p0.1=lost", "--seeds", "5"), "it does not go with --seeds 5."),
        (("--at", "p0.1=lost", "--exhaustive"), "it does not go with --exhaustive."),
        (("--strict", "--seeds", "1"), "--strict: where faults come at random"),
        (("--stage", "prod"), "prod has no gateway: it refuses every payment."),
        (("--stage", "dev"), "--scenario: not mixed on dev: some of its stories wait for days."),
    ],
)
def test_a_bad_option_is_named(arguments: tuple[str, ...], words: str) -> None:
    answer = CliRunner().invoke(app, ["simulate", *arguments])

    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stdout == ""


def test_a_fault_at_a_call_happens_and_one_at_no_call_is_told() -> None:
    at = ("--scenario", "card-completed", "--at")
    answer = riel(*at, "p0.1=lost", "--json")
    document = json.loads(answer.stdout)

    assert document["random"]["faults"] == document["random"]["faults_by_kind"]["lost"] == 1
    assert document["first_seed"]["faults"] == "lost at p0.1"
    missed = riel(*ABSENT)
    assert missed.returncode == 2
    assert missed.stdout.startswith("Seed 1: card-completed; faults: lost at p0.1, lost at p0.99")
    assert "--at: this run has no call p0.99." in missed.stderr


def test_a_long_search_tells_of_each_scenario_where_no_terminal_shows_its_progress() -> None:
    answer = riel("--scenario", "webhook-not-wanted", "--exhaustive", "--seeds", "1", "--json")

    assert answer.returncode == 0
    assert "exhaustive: webhook-not-wanted is done\n" in answer.stderr
    assert json.loads(answer.stdout)["exhaustive"]["scenarios"] == 1


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    with started("--payments", "1", "--seeds", "1") as process:
        assert process.stdout is not None
        process.stdout.close()

        assert process.wait() == 141


@pytest.mark.usefixtures("deployment")
def test_ctrl_c_ends_it_and_its_workers_without_a_word() -> None:
    with started("--seeds", "100000", "--payments", "1") as process:
        until(lambda: group(process.pid), lambda members: len(members) > 1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()

    assert (process.returncode, said) == (130, "")
    until(lambda: group(process.pid), lambda members: not members)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start it in a group of its own, as a shell does."""
    with subprocess.Popen(
        [RIEL, "simulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process


def group(leader: int) -> list[str]:
    answer = subprocess.run(["ps", "-A", "-o", "pgid="], capture_output=True, text=True, check=True)
    return [one for one in answer.stdout.split() if one == str(leader)]
