"""An operator has an unmatched event looked into once more, after its schedule or before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.errors import InvalidStateError, NotFoundError
from riel.services.inbox_step import InboxStep
from riel.store.inbox import OPEN, InboxEvent

if TYPE_CHECKING:
    from riel.app import App


def retry_gateway_event(app: App, inbox_id: str) -> InboxEvent:
    """Send an event to be looked into again; answers the event as it is now.

    Raises NotFoundError, and InvalidStateError for one that was settled, which a repeat can not
    change.
    """
    event = app.inbox.get(inbox_id)
    if event is None:
        raise NotFoundError(f"there is no event {inbox_id}")
    if event.state not in OPEN:
        raise InvalidStateError(f"the event is {event.state}")
    step = InboxStep(inbox_id, traceparent=event.traceparent, payment_id=event.payment_id)
    app.gateway_events_queue.send(step.body())
    return event
