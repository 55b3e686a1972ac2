"""What the fault simulator has found: on a screen, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from infra.cli.output import new_table
from infra.names import command
from infra.simulation.failures import Failure
from infra.simulation.report import Numbers
from infra.simulation.scenarios import MIXED
from infra.simulation.searches import Found
from infra.simulation.seeds import Search, Tried

MOST_TOLD = 5
"""So many failures of an exhaustive search are told; the first one in whole."""


def document(found: Found) -> dict[str, Any]:
    """Return all of it as JSON."""
    return {
        "verdict": "failed" if found.failures else "held",
        "first_seed": _tried_document(found.first) if found.first else None,
        "exhaustive": found.exhaustive.document() if found.exhaustive.runs else None,
        "random": found.random.document() if found.random.runs else None,
        "failures": [_failure_document(failure) for failure in found.failures],
        "seeds_not_tried": found.untried,
    }


def print_found(out: Console, search: Search, found: Found) -> None:
    """Print the first seed, or what failed instead of it, and the verdict and the numbers."""
    if found.first is not None and found.first.failure is None:
        _print_first(out, search, found.first)
    if found.failures:
        _print_failures(out, found)
    _print_numbers(out, found)
    if found.failures:
        _line(out, f"{_count(len(found.failures), 'run')} broke an invariant.", "bold red")
    else:
        _line(out, "Every invariant held.", "green")


def _print_first(out: Console, search: Search, first: Tried) -> None:
    what = search.scenario
    if what == MIXED.name:
        what += f", {_count(len(search.payments), 'payment')}"
    _line(out, f"Seed {first.seed}: {what}; faults: {first.mood}", "bold")
    _line(out, "Reads that went well are left out; ! is a fault, = what became of something.\n")
    for line in first.trace:
        _trace_line(out, line)
    faults, seconds = first.numbers.faults.total(), first.numbers.virtual_seconds
    told = f"{_count(faults, 'fault')}, {seconds:,.0f} virtual seconds"
    _line(out, f"\n{told}: every invariant held.\n")


def _print_failures(out: Console, found: Found) -> None:
    first, *others = found.failures
    _print_failure(out, first)
    for failure in others[: MOST_TOLD - 1]:
        _line(out, f"It fails as well with:\n  {command()} simulate {failure.options}\n")
    if len(found.failures) > MOST_TOLD:
        _line(out, f"And with {len(found.failures) - MOST_TOLD:,} more; --json has them all.\n")
    if found.untried and not found.random.runs:
        _line(out, "Because of that, no seed was tried.\n")
    elif found.untried:
        _line(out, f"Stopped at seed {first.seed}; {found.untried:,} more were not tried.\n")


def _print_failure(out: Console, failure: Failure) -> None:
    told = _count(len(failure.faults), "fault")
    if failure.payments:
        told += f" and {_count(len(failure.payments), 'payment')}"
    _line(out, f"Seed {failure.seed} of {failure.scenario} fails, with {told}:\n", "bold red")
    for line in failure.trace:
        _trace_line(out, line)
    out.print()
    for broken in failure.violations:
        _line(out, f"  +{broken.at:8.3f} s  broken: {broken.name}: {broken.text}", "red")
    _line(out, f"\nHave it again with:\n  {command()} simulate {failure.options}\n")


def _print_numbers(out: Console, found: Found) -> None:
    columns = {"exhaustive": found.exhaustive, "random": found.random}
    told = {name: numbers for name, numbers in columns.items() if numbers.runs}
    table = new_table("", *told, right=tuple(told))
    for name, values in _rows(list(told.values())):
        table.add_row(name, *values)
    out.print(table)
    out.print()


def _rows(columns: list[Numbers]) -> Iterator[tuple[str, list[str]]]:
    rows = [dict(numbers.rows()) for numbers in columns]
    for name in {name: None for row in rows for name in row}:
        yield name, [row.get(name, "") for row in rows]


def _trace_line(out: Console, line: str) -> None:
    _line(out, line, "red" if line.startswith("!") else "")


def _line(out: Console, text: str, style: str = "") -> None:
    # Never folded: a trace is the same on every screen.
    out.print(Text(text, style=style), soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _tried_document(tried: Tried) -> dict[str, Any]:
    return {
        "seed": tried.seed,
        "faults": tried.mood,
        "missed_calls": list(tried.missed),
        "trace": list(tried.trace),
    }


def _failure_document(failure: Failure) -> dict[str, Any]:
    return {
        "stage": failure.stage,
        "scenario": failure.scenario,
        "seed": failure.seed,
        "payments": list(failure.payments),
        "is_strict": failure.is_strict,
        "faults": {name: fault.value for name, fault in failure.faults.items()},
        "violations": [
            {"name": one.name, "text": one.text, "at_seconds": round(one.at, 3)}
            for one in failure.violations
        ],
        "trace": list(failure.trace),
        "replay": f"riel simulate {failure.options}",
    }
