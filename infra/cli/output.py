"""Where a command's words go: results to standard output, what goes wrong to standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.errors import OperatorError

CLOSED_PIPE = 141
"""The exit code where the reader (head, less) has seen enough: the shell's for SIGPIPE."""
PLAIN_WIDTH = 160
"""How wide a table may be where no terminal sets the width: wide enough to break no id."""
_MIN_WIDTHS = {"Payment": 30, "Refund": 30, "Created (UTC)": 14, "Took": 7}
"""What stays whole however narrow the screen is: an id must be there to copy."""

STATUS_STYLES = {
    "pending": "",
    "processing": "yellow",
    "awaiting_payment": "yellow",
    "in_review": "red",
    "completed": "green",
    "failed": "red",
    "canceled": "dim",
    "expired": "dim",
    "delivered": "green",
    "OK": "green",
    "ALARM": "bold red",
}
"""Colour means state and nothing else: green is done well, red needs a look."""


class _Output(Console):
    """Ends a command whose reader is gone with a code of its own: 1 means a failure."""

    def on_broken_pipe(self) -> None:
        end_quietly()


def console() -> Console:
    """Make a console on the present standard output."""
    if sys.stdout.isatty():
        return _Output(highlight=False)
    return _Output(highlight=False, width=PLAIN_WIDTH)


def end_quietly() -> NoReturn:
    """End without another word to standard output, which nobody reads any more."""
    # Python must not try to flush to it again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(CLOSED_PIPE)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def print_error(error: OperatorError) -> None:
    """Say what happened, and what to do next."""
    on = Console(stderr=True, highlight=False, soft_wrap=True)
    on.print(Text(error.message, style="red" if error.exit_code else ""))
    if error.hint:
        on.print(Text(error.hint))


def styled(status: object) -> Text:
    """Write a state in its colour."""
    text = str(status)
    return Text(text, style=STATUS_STYLES.get(text, ""))


def new_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Make a table without lines; the columns in `right` are numbers, `Payment` holds an id."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in columns:
        is_number = column in right
        table.add_column(
            column,
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
            min_width=_MIN_WIDTHS.get(column),
        )
    return table
