"""An operator has dealt with an event that no code could settle: closed, with who and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.errors import FieldProblem, InvalidRequestError, InvalidStateError, NotFoundError
from riel.store.inbox import NEED_A_PERSON, InboxEvent

if TYPE_CHECKING:
    from riel.app import App

MAX_REASON_LENGTH = 200


def close_gateway_event(app: App, inbox_id: str, who: str, why: str) -> InboxEvent:
    """Take an event off the list of those that wait for a person; returns it as it is then.

    It is kept for 90 days more. Raises NotFoundError, InvalidRequestError, or InvalidStateError for
    one that waits for no person.
    """
    why = why.strip()
    if not 0 < len(why) <= MAX_REASON_LENGTH:
        rule = f"has to have 1 to {MAX_REASON_LENGTH} characters"
        raise InvalidRequestError((FieldProblem("reason", "reason_invalid", rule),))
    event = app.inbox.get(inbox_id)
    if event is None:
        raise NotFoundError(f"there is no event {inbox_id}")
    if event.state not in NEED_A_PERSON:
        raise InvalidStateError(f"the event is {event.state}")
    was = f"; {event.state}: {event.done}" if event.done else f"; it was {event.state}"
    if not app.inbox.close(event, f"closed by {who}: {why}{was}", app.clock()):
        raise InvalidStateError("the event was settled at the same moment; look at it again")
    return app.inbox.get(inbox_id) or event
