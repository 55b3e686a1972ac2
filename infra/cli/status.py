"""`riel status`: where a stage is, how full its queues are, and which alarms ring."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.flag_screens import unserved_words
from infra.cli.options import JsonOption, StageOption
from infra.cli.output import console, new_table, print_json
from infra.cli.stage_access import LOCAL, open_stage
from infra.cli.stage_report import report
from infra.names import command


def status(stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Say what runs: addresses, functions, queues with their depths, tables, alarms."""
    found = report(open_stage(stage))
    if as_json:
        print_json(found)
    else:
        _print(stage, found)


def _print(stage: str, found: dict[str, Any]) -> None:
    out = console()
    out.print(f"[bold]Riel[/bold] {stage}")
    for name in ("api", "simulator", "aws_endpoint"):
        if found[name]:
            out.print(f"  {name.replace('aws_endpoint', 'AWS'):<10} {found[name]}", soft_wrap=True)
    out.print(f"  {'region':<10} {found['region']}\n")
    out.print(_queues(found["queues"]))
    out.print()
    out.print(_functions(found["functions"]))
    out.print("\n[bold]Tables[/bold]  " + ", ".join(found["tables"]))
    _print_alarms(found["alarms"])
    _print_waiting(found)


def _queues(queues: dict[str, dict[str, Any]]) -> Table:
    numbers = ("Visible", "In flight", "Delayed", "Oldest", "Quarantined")
    table = new_table("Queue", *numbers, right=numbers)
    for name, queue in queues.items():
        is_bad = name.endswith("-dlq") and queue["visible"] + queue["in_flight"] > 0
        oldest = queue["oldest_seconds"]
        table.add_row(
            Text(name, style="red" if is_bad else ""),
            Text(str(queue["visible"]), style="red" if is_bad else ""),
            str(queue["in_flight"]),
            str(queue["delayed"]),
            "" if not oldest else f"{oldest:.0f} s",
            str(queue.get("quarantined") or ""),
        )
    return table


def _functions(functions: dict[str, dict[str, Any]]) -> Table:
    table = new_table("Function", "State")
    for name, function in functions.items():
        table.add_row(name, function["state"])
    return table


def _print_waiting(found: dict[str, Any]) -> None:
    """Say what waits for a person, and what is switched off."""
    out = console()
    waiting = {why: number for why, number in found["reviews"].items() if number}
    if waiting:
        words = ", ".join(f"{number} {why}" for why, number in waiting.items())
        out.print(Text.assemble(("Reviews", "bold"), f"  {words}: {command()} reviews"))
    if number := found["stopped_endpoints"]:
        words = f"  {number} stopped: {command()} webhooks endpoints"
        out.print(Text.assemble(("Endpoints", "bold red"), words))
    for switch in found["switched_off"]:
        words = f" {switch['name']}, by {switch['who']}: {switch['why']}"
        out.print(Text.assemble(("Off", "bold red"), words), soft_wrap=True)
    if found["unserved_methods"]:
        out.print(Text(unserved_words(found["unserved_methods"]), style="red"), soft_wrap=True)


def _print_alarms(alarms: dict[str, str]) -> None:
    ringing = [name for name, state in alarms.items() if state == "ALARM"]
    out = console()
    if ringing:
        out.print("[bold]Alarms[/bold]  [bold red]ALARM[/bold red] " + ", ".join(ringing))
    else:
        out.print(f"[bold]Alarms[/bold]  {len(alarms)}, none rings")
