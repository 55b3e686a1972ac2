"""`riel flags show | set`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import flag_screens
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption, new_group
from infra.cli.output import console, print_json
from infra.cli.stage_access import LOCAL, open_stage
from infra.cli.unserved import unserved_methods
from riel.errors import InvalidRequestError
from riel.services.switches import all_switches, set_switch

app = new_group(help="Kill switches: take a gateway or a method out of use for new payments.")


@app.command()
def show(stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show every kill switch, and who set it last and why."""
    found = all_switches(open_stage(stage).app)
    if as_json:
        print_json({"data": [flag_screens.switch_document(*one) for one in found.items()]})
    else:
        console().print(flag_screens.switches_table(found))


@app.command("set")
def set_flag(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `show` names it.")],
    state: Annotated[str, typer.Argument(metavar="on|off")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Switch on or off, within ten seconds; payments that were accepted go on to their end."""
    if state not in ("on", "off"):
        raise UsageError(f"A switch can not be set to {state!r}.", "Say on or off.")
    access = open_stage(stage)
    is_on = state == "on"
    try:
        switch = set_switch(access.app, name, is_on=is_on, who=access.operator(), why=reason)
    except InvalidRequestError as error:
        (problem,) = error.problems
        hint = "Say why with --reason." if problem.field == "reason" else ""
        raise UsageError(f"Nothing was changed: {problem.message}.", hint) from None
    unserved = unserved_methods(stage, all_switches(access.app))
    if as_json:
        print_json({**flag_screens.switch_document(name, switch), "unserved_methods": unserved})
    else:
        flag_screens.print_set(name, switch, unserved)
