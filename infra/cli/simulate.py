"""`riel simulate`: break the whole stage in a world of models, and see whether it holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from infra.cli import simulate_screens
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption
from infra.cli.output import console, print_error, print_json
from infra.cli.progress import Progress
from infra.cli.stage_access import LOCAL, check_stage
from infra.simulation.faults import Fault
from infra.simulation.processes import processes
from infra.simulation.scenarios import MIXED, SCENARIOS
from infra.simulation.searches import PARTS, Found, explore_all, try_seeds
from infra.simulation.seeds import KINDS, Search
from infra.simulation.stages import TOO_LONG, has_gateway, scenarios_of
from infra.synthesis import is_current

SEEDS = 40
PAYMENTS = 6
MOST_PAYMENTS = 100
NONE = "none"


def simulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="The first seed.")] = 1,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=10**6, help="How many seeds.", show_default=str(SEEDS)),
    ] = None,
    payments: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_PAYMENTS, help="How many payments each seed has; of mixed alone."
        ),
    ] = PAYMENTS,
    faults: Annotated[
        str, typer.Option(metavar="LIST", help=f"What may happen: {', '.join(KINDS)}; or none.")
    ] = ",".join(KINDS),
    scenario: Annotated[
        str, typer.Option(metavar="NAME", help="One scenario, instead of many payments at once.")
    ] = MIXED.name,
    only: Annotated[
        str,
        typer.Option(metavar="LIST", help="The payments of these numbers, instead of --payments."),
    ] = "",
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CALL=FAULT", help="This fault at this call, instead of --faults; repeatable."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="As in --exhaustive: no operator comes, none may be needed."),
    ] = False,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="First, every fault at every call of a scenario.")
    ] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Run the real functions against models of AWS, PSPs and merchants, and break what can break.

    A seed is one interleaving and one set of faults: the same seed prints the same bytes. The
    first seed is told in whole, unless it fails; a seed that fails is made small first.
    """
    _check_gateway(stage)
    numbers = _numbers(only) if only else tuple(range(payments))
    search = Search(
        _scenario(scenario, stage), numbers, _kinds(faults), _faults(at or []), strict, stage
    )
    _check_together(search, seeds, exhaustive=exhaustive)
    if not is_current(stage):
        _to_stderr(f"Synthesizing the template of the {stage} stage …")
    many = range(seed, seed + (1 if search.at else seeds or SEEDS))
    names = scenarios_of(stage) if scenario == MIXED.name else [scenario]
    found = _search(search, many, names if exhaustive else [], is_shown=not as_json)
    if as_json:
        print_json(simulate_screens.document(found))
    else:
        simulate_screens.print_found(console(), search, found)
    missed = _missed(found)
    if found.failures and missed:
        print_error(missed)
    if found.failures:
        raise typer.Exit(1)
    if missed:
        raise missed


def _search(search: Search, seeds: range, names: Sequence[str], *, is_shown: bool) -> Found:
    """Search these scenarios exhaustively, and then, if all is well, at random."""
    found = Found()
    work = len(names) * PARTS + len(seeds)
    with Progress(enabled=is_shown) as progress, processes(work) as pool:
        if names:
            note = progress.say if is_shown and console().is_terminal else _to_stderr
            explore_all(pool, names, found, progress.say, note, stage=search.stage)
        if found.failures:
            found.untried = len(seeds)
        else:
            try_seeds(pool, search, seeds, found, progress.say)
    return found


def _check_together(search: Search, seeds: int | None, *, exhaustive: bool) -> None:
    if search.at and (exhaustive or (seeds or 1) > 1):
        option = "--exhaustive" if exhaustive else f"--seeds {seeds}"
        raise UsageError(
            f"--at: a call is one of one seed's; it does not go with {option}.",
            f"Leave {option} out.",
        )
    if search.is_strict and search.kinds and not search.at:
        raise UsageError(
            "--strict: where faults come at random, an operator may be needed.",
            "Say --at, or --faults none.",
        )


def _missed(found: Found) -> UsageError | None:
    calls = found.first.missed if found.first else ()
    if not calls:
        return None
    return UsageError(
        f"--at: this run has no call {', or '.join(calls)}.",
        "It is of another seed, other payments, or another version of the code.",
    )


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check_gateway(stage: str) -> None:
    check_stage(stage)
    if not has_gateway(stage):
        raise UsageError(f"{stage} has no gateway: it refuses every payment.", "Say --stage dev.")


def _scenario(name: str, stage: str) -> str:
    mixed = [MIXED.name] if stage == LOCAL else []
    known = f"There are: {', '.join([*mixed, *scenarios_of(stage)])}."
    if name not in (MIXED.name, *SCENARIOS):
        raise UsageError(f"--scenario: there is no {name!r}.", known)
    if stage != LOCAL and name in TOO_LONG:
        raise UsageError(f"--scenario: not {name} on {stage}: {TOO_LONG[name]}.", known)
    return name


def _numbers(only: str) -> tuple[int, ...]:
    numbers = [part.strip() for part in only.split(",")]
    if not all(number.isdecimal() and int(number) < MOST_PAYMENTS for number in numbers):
        raise UsageError(f"--only: {only!r} is no list of payments.", "Say 0,2,5, for example.")
    return tuple(sorted({int(number) for number in numbers}))


def _kinds(faults: str) -> tuple[str, ...]:
    chosen = {part.strip() for part in faults.split(",")}
    unknown = sorted(chosen - {NONE, *KINDS})
    if unknown or (NONE in chosen and len(chosen) > 1):
        named = unknown[0] if unknown else faults
        raise UsageError(
            f"--faults: there is no {named!r}.", f"Say some of {', '.join(KINDS)}, or none."
        )
    return tuple(kind for kind in KINDS if kind in chosen)


def _faults(at: list[str]) -> tuple[tuple[str, Fault], ...]:
    faults = []
    for one in at:
        call, _, fault = one.rpartition("=")
        if not call or fault not in set(Fault):
            kinds = ", ".join(Fault)
            raise UsageError(
                f"--at: {one!r} is no call and fault.", f"Say CALL=FAULT; faults are {kinds}."
            )
        faults.append((call, Fault(fault)))
    return tuple(faults)
