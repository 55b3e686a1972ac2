"""`riel simulate`: break the whole stage in a world of models, and see whether it holds."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infra.cli import simulate_screens
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption
from infra.cli.output import console, print_json
from infra.cli.progress import Progress
from infra.cli.stage_access import LOCAL, check_stage
from infra.simulation.faults import Fault
from infra.simulation.processes import processes
from infra.simulation.scenarios import MIXED, SCENARIOS
from infra.simulation.searches import PARTS, Found, explore_all, try_seeds
from infra.simulation.seeds import KINDS, Search
from infra.synthesis import is_current

SEEDS = 100
PAYMENTS = 6
MOST_PAYMENTS = 100
NONE = "none"


def simulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=10**6, help="How many seeds.")] = SEEDS,
    payments: Annotated[
        int, typer.Option(min=1, max=MOST_PAYMENTS, help="How many payments each seed has.")
    ] = PAYMENTS,
    faults: Annotated[
        str, typer.Option(metavar="LIST", help=f"What may happen: {', '.join(KINDS)}; or none.")
    ] = ",".join(KINDS),
    scenario: Annotated[
        str, typer.Option(metavar="NAME", help="One scenario, instead of many payments at once.")
    ] = MIXED.name,
    only: Annotated[
        str, typer.Option(metavar="LIST", help="Only the payments of these numbers.")
    ] = "",
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="CALL=FAULT", help="This fault at this call, instead; repeatable."),
    ] = None,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="First, every fault at every call of a scenario.")
    ] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Run the real functions against models of AWS, PSPs and merchants, and break what can break.

    A seed is one interleaving and one set of faults: the same seed prints the same bytes. The
    first seed is told in whole; a seed that fails is made small first.
    """
    _only_local(stage)
    numbers = _numbers(only) if only else tuple(range(payments))
    search = Search(_scenario(scenario), numbers, _kinds(faults), _faults(at or []))
    if not is_current(stage):
        print("Synthesizing the template of the local stage …", file=sys.stderr)
    found, many = Found(), range(seed, seed + (1 if search.at else seeds))
    names = list(SCENARIOS) if scenario == MIXED.name else [scenario]
    work = len(many) + (len(names) * PARTS if exhaustive else 0)
    with Progress(enabled=not as_json) as progress, processes(work) as pool:
        if exhaustive:
            explore_all(pool, names, found, progress.say)
        if not found.failures:
            try_seeds(pool, search, many, found, progress.say)
    if found.first and found.first.missed:
        raise UsageError(
            f"--at: this run has no call {found.first.missed[0]}.",
            "It is of another seed, other payments, or another version of the code.",
        )
    if as_json:
        print_json(simulate_screens.document(found))
    else:
        simulate_screens.print_found(console(), search, found)
    if found.failures:
        raise typer.Exit(1)


def _only_local(stage: str) -> None:
    check_stage(stage)
    if stage != LOCAL:
        raise UsageError(f"Only the local stage can be simulated, not {stage}.")


def _scenario(name: str) -> str:
    known = [MIXED.name, *SCENARIOS]
    if name not in known:
        raise UsageError(f"--scenario: there is no {name!r}.", f"There are: {', '.join(known)}.")
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
