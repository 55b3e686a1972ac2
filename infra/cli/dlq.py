"""`riel dlq list | show | redrive`, and what `quarantine` adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from infra.cli import dead_letter_screens, quarantine
from infra.cli.durations import parse_duration
from infra.cli.options import JsonOption, QueueArgument, StageOption, new_group
from infra.cli.output import console, print_json
from infra.cli.progress import Progress
from infra.cli.stage_access import LOCAL, StageAccess, open_stage
from infra.stages import stage_named
from riel.services.dead_letters import HOLD_SECONDS, DeadLetter
from riel.services.list_dead_letters import list_dead_letters
from riel.services.redrive_dead_letters import RedriveOrder, redrive_dead_letters

app = new_group(help="Deal with dead letters.")


@app.command("list")
def list_letters(stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the dead letters of every queue, with reason and payment."""
    access = open_stage(stage)
    queues = stage_named(stage).dead_letter_queues
    with ThreadPoolExecutor(len(queues)) as pool:
        found = pool.map(lambda name: _letters(access, name), queues)
        letters = [letter for of_queue in found for letter in of_queue]
    now = access.app.clock()
    if as_json:
        documents = [dead_letter_screens.letter_document(letter, now) for letter in letters]
        print_json({"data": documents})
    elif letters:
        console().print(dead_letter_screens.letters_table(letters, now))
    else:
        _say_none(access, queues)


@app.command()
def show(queue: QueueArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show each dead letter of one queue with its payment, the payment's state, and the reason."""
    access = open_stage(stage)
    letters = _letters(access, queue)
    now = access.app.clock()
    if as_json:
        documents = [
            dead_letter_screens.letter_document(letter, now, whole=True) for letter in letters
        ]
        print_json({"queue": queue, "data": documents})
    elif letters:
        dead_letter_screens.print_letters(console(), stage, queue, letters, now)
    else:
        _say_none(access, [queue], of=f" of {queue}")


@app.command()
def redrive(
    queue: QueueArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Messages a second.")] = 10,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Only what was sent longer ago, such as 10m.")
    ] = "0s",
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Send the dead letters of a queue back to where they came from."""
    span = parse_duration(older_than)
    access = open_stage(stage)
    source = access.dead_letter_queue(queue)
    order = RedriveOrder(dry_run=dry_run, rate=rate, older_than=span)
    with Progress(enabled=not as_json) as progress:
        done = redrive_dead_letters(
            access.app, source, order, lambda done: progress.say(f"{done.sent} sent back …")
        )
    if as_json:
        print_json(dead_letter_screens.redriven_document(queue, done, dry_run))
    elif done.is_empty:
        _say_none(access, [queue], of=f" of {queue}")
    else:
        dead_letter_screens.print_redriven(queue, done, dry_run)
    if done.left:
        raise typer.Exit(1)


for _command in (quarantine.quarantine, quarantine.quarantined, quarantine.release):
    app.command()(_command)


def _say_none(access: StageAccess, queues: Sequence[str], of: str = "") -> None:
    """Say that there is none, unless somebody has some in hand: SQS shows those to nobody else."""
    hidden = sum(access.dead_letter_queue(name).queue.depth()["in_flight"] for name in queues)
    if hidden:
        print(f"Hidden{of}, as somebody looks at them: {hidden}. Try again in {HOLD_SECONDS} s.")
    else:
        print(f"No dead letters{of}.")


def _letters(access: StageAccess, queue: str) -> list[DeadLetter]:
    source = access.dead_letter_queue(queue)
    return list_dead_letters(access.app, source)
