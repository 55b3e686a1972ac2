"""`riel outbox replay`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from infra.cli.durations import parse_instant
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption, new_group
from infra.cli.output import print_json
from infra.cli.stage_access import LOCAL, open_stage
from riel.clock import utc_now
from riel.services.replay_outbox import replay_outbox
from riel.store.keys import OUTBOX_LIFE

app = new_group(help="Work on the outbox.")


@app.callback()
def outbox() -> None:
    """Work on the outbox."""


@app.command()
def replay(
    start: Annotated[str, typer.Option("--from", metavar="T", help="A UTC time, or 15m ago.")],
    end: Annotated[str, typer.Option("--to", metavar="T", help="A UTC time, 5m ago, or now.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Publish the events of a range of time again; what was done already is not done twice."""
    now = utc_now()
    first, last = parse_instant(start, now), parse_instant(end, now)
    if first >= last:
        raise UsageError("--from must be before --to.")
    access = open_stage(stage)
    # Older events have left the outbox, and each minute of the range costs sixteen queries.
    first, last = max(first, now - OUTBOX_LIFE), min(last, now)
    done = replay_outbox(access.app, first, last, dry_run=dry_run)
    unreadable = [{"key": record.key, "reason": record.reason} for record in done.unreadable]
    counts = {
        "dry_run": dry_run,
        "found": done.found,
        "published": done.published,
        "refused": done.refused,
        "unreadable": unreadable,
    }
    _print(counts, as_json)
    if done.refused or unreadable:
        raise typer.Exit(1)


def _print(counts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(counts)
        return
    verb = "would be published" if counts["dry_run"] else "published"
    print(f"{counts['found']} found, {counts['published']} {verb}.")
    if counts["refused"]:
        print(f"{counts['refused']} were not taken by their queue: run it again.")
    for record in counts["unreadable"]:
        print(f"can not be read: {record['key']}: {record['reason']}")
