"""`riel gateways events | show | retry | close`: what PSPs sent that waits for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import gateway_screens
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.stage_access import LOCAL, open_stage
from infra.names import command
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.close_gateway_event import close_gateway_event
from riel.services.retry_gateway_event import retry_gateway_event
from riel.store.inbox import NEED_A_PERSON, State

app = new_group(help="Events of PSPs that wait for a person.")

STATES = ", ".join(NEED_A_PERSON)
EventArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `events` names it: inb_ and 26 letters and digits.")
]


@app.command()
def events(
    state: Annotated[str, typer.Option(metavar="STATE", help=f"Only one of {STATES}.")] = "",
    gateway: Annotated[str, typer.Option(metavar="NAME", help="Only this gateway's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Of each state.")] = 100,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """List events that no code can settle, the oldest first.

    An unmatched one is listed when the schedule of its own retries is over.
    """
    if state and state not in NEED_A_PERSON:
        raise UsageError(f"There is no list of events that are {state!r}.", f"Say one of {STATES}.")
    inbox = open_stage(stage).app.inbox
    wanted = (State(state),) if state else NEED_A_PERSON
    found = [
        event
        for one in wanted
        for event in inbox.needing_a_person(one, limit)
        if gateway in ("", event.gateway)
    ]
    if as_json:
        print_json({"data": [gateway_screens.event_document(event) for event in found]})
    elif found:
        console().print(gateway_screens.events_table(found))
    else:
        print("No event waits for a person.")


@app.command()
def show(event_id: EventArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show one event with its body, as the PSP sent it."""
    event = open_stage(stage).app.inbox.get(event_id)
    if event is None:
        raise _unknown(event_id, stage)
    if as_json:
        print_json(gateway_screens.event_document(event))
    else:
        gateway_screens.print_event(console(), event)


@app.command()
def retry(event_id: EventArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Look for the payment of an unmatched event once more, now.

    One that could not be read is read again first, by this version of its adapter.
    """
    try:
        event = retry_gateway_event(open_stage(stage).app, event_id)
    except NotFoundError:
        raise _unknown(event_id, stage) from None
    except InvalidStateError as error:
        raise OperatorError(
            f"Nothing was sent: {error}.",
            "Only an unmatched or unreadable event can be looked into again.",
        ) from None
    if as_json:
        print_json(gateway_screens.event_document(event))
    else:
        print(f"{event_id} is looked into again.")


@app.command()
def close(
    event_id: EventArgument,
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Take an event off the list, after you have dealt with it; it is kept for 90 days more."""
    access = open_stage(stage)
    try:
        event = close_gateway_event(access.app, event_id, access.operator(), reason)
    except InvalidRequestError as error:
        raise UsageError(f"The {error}.", "Say why with --reason.") from None
    except NotFoundError:
        raise _unknown(event_id, stage) from None
    except InvalidStateError as error:
        raise OperatorError(
            f"Nothing was changed: {error}.", f"Only one that is {STATES} can be closed."
        ) from None
    if as_json:
        print_json(gateway_screens.event_document(event))
    else:
        print(f"{event_id} is closed.")


def _unknown(event_id: str, stage: str) -> OperatorError:
    return OperatorError(
        f"There is no event {event_id} on the stage {stage}.",
        f"List what waits with: {command()} gateways events{stage_option(stage)}",
    )
