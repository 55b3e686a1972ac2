"""`riel dlq quarantine | quarantined | release`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import quarantine_screens
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, QueueArgument, StageOption, stage_option
from infra.cli.output import console, print_json
from infra.cli.stage_access import LOCAL, open_stage
from infra.names import command
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.quarantine_dead_letters import (
    QuarantineOrder,
    quarantine_dead_letters,
    release_letter,
)


def quarantine(
    queue: QueueArgument,
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    payment: Annotated[str, typer.Option(metavar="ID", help="Those of one payment.")] = "",
    message_id: Annotated[str, typer.Option(metavar="ID", help="The one with this id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of the queue.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show only.")] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Take dead letters out of a queue for good; they are kept, and can be released."""
    if [bool(payment), bool(message_id), everything].count(True) != 1:
        raise UsageError("Say which letters.", "Add one of --payment ID, --message-id ID, --all.")
    access = open_stage(stage)
    source = access.dead_letter_queue(queue)
    order = QuarantineOrder(access.operator(), reason, payment, message_id, dry_run)
    try:
        done = quarantine_dead_letters(access.app, source, order)
    except InvalidRequestError as error:
        raise UsageError(f"The {error}.", "Say why with --reason.") from None
    if as_json:
        print_json(quarantine_screens.quarantined_document(queue, done, dry_run))
    else:
        quarantine_screens.print_quarantined(queue, done, dry_run)
    if done.left:
        raise typer.Exit(1)


def quarantined(
    queue: QueueArgument, stage: StageOption = LOCAL, as_json: JsonOption = False
) -> None:
    """List the letters of a queue that are in quarantine, with who put them there and why."""
    access = open_stage(stage)
    letters = access.app.quarantine.of_queue(access.dead_letter_queue(queue).name)
    if as_json:
        documents = [quarantine_screens.put_aside_document(letter) for letter in letters]
        print_json({"queue": queue, "data": documents})
    elif letters:
        console().print(quarantine_screens.put_aside_table(letters, access.app.clock()))
    else:
        print(f"No letters of {queue} are in quarantine.")


def release(
    queue: QueueArgument,
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Send one letter in quarantine back to where it came from after all."""
    access = open_stage(stage)
    source = access.dead_letter_queue(queue)
    try:
        letter = release_letter(access.app, source, message_id, access.operator())
    except NotFoundError as error:
        look = f"List them with: {command()} dlq quarantined {queue}{stage_option(stage)}"
        raise OperatorError(f"Nothing was sent: {error}.", look) from None
    except InvalidStateError as error:
        raise OperatorError(f"Nothing was sent: {error}.") from None
    if as_json:
        print_json({"queue": queue, "released": letter.message_id})
    else:
        print(f"{queue}: {letter.message_id} sent back.")
