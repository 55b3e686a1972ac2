"""A failure as a person reads it: small, in the names of its trace, and with its command."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra.cli import simulate, simulate_screens
from infra.cli.main import app
from infra.simulation import searches
from infra.simulation.dynamodb import DynamoDb
from infra.simulation.exhaustive import Part, explore
from infra.simulation.failures import Failure
from infra.simulation.faults import Fault
from infra.simulation.invariants import Violation
from infra.simulation.report import Numbers
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.searches import Found, Tell
from infra.simulation.seeds import Search, Trial, Tried, try_seed
from infra.simulation.transport import ServiceError

BROKEN = Failure(
    scenario="mixed",
    seed=17,
    payments=(2, 5),
    faults={"processor(pay_a.r1)/1.3": Fault.KILLED_AFTER, "p2.1": Fault.LOST},
    violations=(Violation("charged once", "pay_a was charged 2 times", 3.25),),
    trace=("  +   0.000 s  p2.1  api POST", "! +   1.000 s  p2.1  api POST  *** lost ***"),
)
ABSENT = ("--scenario", "card-completed", "--at", "p0.1=lost", "--at", "p0.99=lost")


class Here:
    """Answers in this process, where a test has planted something."""

    def ask(self, work: Callable[[Any], Any], questions: Iterable[Any]) -> Iterator[Any]:
        return (work(one) for one in questions)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "processes", lambda _questions: nullcontext(Here()))


@pytest.fixture
def letters_are_forbidden(monkeypatch: pytest.MonkeyPatch) -> str:
    """A scenario that leaves a dead letter, which fails in strict runs; an operator heals it."""
    name = "webhook-gone"
    monkeypatch.setitem(SCENARIOS, name, replace(SCENARIOS[name], leaves_letters=False))
    return name


def test_a_failure_is_told_with_the_command_that_has_it_again() -> None:
    told = printed(Found(random=Numbers(seeds=17, runs=17, violations=1), failures=[BROKEN]))

    assert "Seed 17 of mixed fails, with 2 faults and 2 payments:" in told
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


@pytest.mark.usefixtures("in_this_process")
def test_a_failure_wins_over_a_call_that_was_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(trial: Trial) -> Tried:
        return replace(try_seed(trial), failure=BROKEN)

    monkeypatch.setattr(searches, "try_seed", failing)
    answer = CliRunner().invoke(app, ["simulate", *ABSENT])

    assert answer.exit_code == 1
    assert "--at: this run has no call p0.99." in answer.stderr
    assert answer.stdout.count(" fails, with ") == 1
    assert "p0.1 " not in answer.stdout


@pytest.mark.usefixtures("in_this_process")
def test_each_printed_command_has_its_failure_again(letters_are_forbidden: str) -> None:
    failures = explore(Part(letters_are_forbidden, 0, of=100, seed=3)).failures

    assert not failures[0].faults
    assert any(failure.faults for failure in failures)
    for failure in failures:
        answer = CliRunner().invoke(app, ["simulate", *shlex.split(failure.options), "--json"])
        document = json.loads(answer.stdout)
        (again,) = document["failures"]
        assert answer.exit_code == 1
        assert document["random"]["seeds"] == 1
        assert again["replay"] == f"riel simulate {failure.options}"
        assert again["violations"][0]["text"] == failure.violations[0].text
        assert again["trace"] == list(failure.trace)


def test_what_is_broken_is_told_by_the_names_of_the_trace(letters_are_forbidden: str) -> None:
    failure = try_seed(Trial(Search(letters_are_forbidden, kinds=(), is_strict=True), 1)).failure

    assert failure is not None
    (broken,) = failure.violations
    assert broken.name == "no dead letter after one fault"
    assert "pay-1" in broken.text
    assert any(" = pay-1 is completed" in line for line in failure.trace)
    assert not re.search(r"pay_[a-z2-7]{8}", broken.text + "".join(failure.trace))


def test_what_a_call_failed_with_is_told_without_its_namespace() -> None:
    search = Search("card-completed", kinds=("refused",))
    told = [line for seed in range(12) for line in try_seed(Trial(search, seed, True)).trace]

    assert any(re.search(r"dynamodb .* → \w+  \*{3} refused", line) for line in told)
    assert not any("amazonaws" in line for line in told)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (lambda: ServiceError("x#ValidationException", "None"), "ValidationException: None"),
        (lambda: ZeroDivisionError("by the model"), "ZeroDivisionError: by the model"),
    ],
)
def test_what_nobody_expects_of_a_call_is_told_with_its_reason(
    error: Callable[[], Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DynamoDb.call

    def call(self: DynamoDb, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "UpdateItem" and request["TableName"].endswith("-payments"):
            raise error()
        return real(self, operation, request)

    monkeypatch.setattr(DynamoDb, "call", call)
    told = try_seed(Trial(Search("card-completed", kinds=()), 1, with_trace=True)).trace

    assert any(f"  → {words}" in line for line in told)


def test_a_first_seed_that_fails_is_told_once_with_the_seeds_that_were_not_tried() -> None:
    first = Tried(17, Numbers(seeds=1, runs=1), BROKEN, "none", ("told in whole",), ())
    found = Found(first, random=first.numbers, failures=[BROKEN], untried=19)

    told = printed(found)

    assert told.startswith("Seed 17 of mixed fails, with 2 faults and 2 payments:\n")
    assert "told in whole" not in told
    assert "Stopped at seed 17; 19 more were not tried.\n" in told


def test_many_failures_are_told_by_five_commands_and_their_number() -> None:
    strict = replace(BROKEN, payments=(), is_strict=True)
    found = Found(exhaustive=Numbers(runs=200), failures=[strict] * 107, untried=40)

    told = printed(found)

    assert told.count(f" simulate {strict.options}\n") == 5
    assert "And with 102 more; --json has them all.\n" in told
    assert "Because of that, no seed was tried.\n" in told
    assert told.endswith("107 runs broke an invariant.\n")


def printed(found: Found) -> str:
    out = io.StringIO()
    simulate_screens.print_found(Console(file=out, width=40), Search(), found)
    return out.getvalue()
