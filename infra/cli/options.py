"""The options that every command accepts."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.stages import LOCAL


def new_group(help: str) -> typer.Typer:  # noqa: A002 - typer's own name for it
    """Make a group of commands that is shown as plainly as the rest."""
    return typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=help)


def stage_option(stage: str) -> str:
    """What a command that we advise needs, so that it means the same stage."""
    return "" if stage == "local" else f" --stage {stage}"


StageOption = Annotated[
    str, typer.Option("--stage", metavar="STAGE", help="local, dev or prod.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
QueueArgument = Annotated[
    str, typer.Argument(metavar="QUEUE", help=f"One of {', '.join(LOCAL.dead_letter_queues)}.")
]
