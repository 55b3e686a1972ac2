"""`riel`: the table of commands, and the one place where errors become words and exit codes.

A command's module is imported when that command runs, so `riel --help` loads neither boto3 nor the
embedded engine.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

_COMMANDS = {
    "up": ("infra.cli.local_stage:up", "Start the local stage, show it at work, and serve."),
    "down": ("infra.cli.local_stage:down", "Stop the local stage, from anywhere."),
    "status": ("infra.cli.status:status", "Say what runs, and how full the queues are."),
    "merchants": (
        "infra.cli.merchants:app",
        "Merchants and their API keys: create, list, rotate-key, revoke-key, limit.",
    ),
    "payments": (
        "infra.cli.payments:app",
        "Look at payments, decide what waits: show, list, watch, resolve, acknowledge.",
    ),
    "reviews": (
        "infra.cli.reviews:reviews",
        "List what waits for a person, of all merchants.",
    ),
    "refunds": ("infra.cli.refunds:app", "Decide refunds that wait: resolve, acknowledge."),
    "flags": ("infra.cli.flags:app", "Kill switches of gateways and methods: show, set."),
    "gateways": (
        "infra.cli.gateways:app",
        "Look at PSPs' events that wait for a person: events, show, retry, close.",
    ),
    "simulator": ("infra.cli.simulator:app", "Act for the payer at the simulated PSP: pay."),
    "dlq": (
        "infra.cli.dlq:app",
        "Deal with dead letters: list, show, redrive, quarantine, quarantined, release.",
    ),
    "webhooks": (
        "infra.cli.webhooks:app",
        "What merchants were told: deliveries, redeliver, endpoints, resume.",
    ),
    "outbox": ("infra.cli.outbox:app", "Publish again what may have been lost: replay."),
    "simulate": (
        "infra.cli.simulate:simulate",
        "Break the stage in every way, in a world of models: the same seed, the same bytes.",
    ),
}


class _Commands(TyperGroup):
    """Loads a command and runs it; an expected failure becomes a sentence on standard error."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in _COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (TyperException, typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            import_module("infra.cli.output").end_quietly()
        except Exception as error:
            failures = import_module("infra.cli.failures")
            raise typer.Exit(failures.tell(error)) from error


app = typer.Typer(
    name="riel",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Every command takes --stage local|dev|prod (default local) and --json.",
)


@app.callback()
def riel() -> None:
    """Operate Riel: run it here, manage merchants, look at payments, deal with dead letters."""


def _nothing() -> None:
    """Stand for a command until its module is loaded."""


for _name, (_target, _summary) in _COMMANDS.items():
    app.command(_name, help=_summary)(_nothing)


def run() -> None:
    """Run the command line of this process."""
    # The product logs and counts for CloudWatch; an operator's terminal is no place for that.
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    app()


def _load(name: str) -> Any:
    module, attribute = _COMMANDS[name][0].split(":")
    target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(name)(target)
        target = single
    return get_command(target)
