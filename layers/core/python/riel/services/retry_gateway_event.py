"""An operator has an event looked into once more: after its schedule, or after a mended adapter."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from riel.errors import InvalidStateError, NotFoundError, UnmappedAnswerError
from riel.services.inbox_step import InboxStep
from riel.services.receive_gateway_event import with_words_of
from riel.store.inbox import NEED_A_PERSON, OPEN, UNHEARD, InboxEvent, KeptBody, State

if TYPE_CHECKING:
    from riel.app import App


def retry_gateway_event(app: App, inbox_id: str) -> InboxEvent:
    """Send an event to be looked into again; answers the event as it is now.

    One that could not be read, or that named no payment, is read again first. Raises NotFoundError,
    and InvalidStateError for one that was settled, which a repeat can not change, or that can not
    be read.
    """
    event = app.inbox.get(inbox_id)
    if event is None:
        raise NotFoundError(f"there is no event {inbox_id}")
    if event.state not in (*OPEN, State.UNREADABLE):
        raise InvalidStateError(f"the event is {event.state}")
    if event.state in NEED_A_PERSON and not event.payment_id:
        event = _read_again(app, event)
    step = InboxStep(inbox_id, traceparent=event.traceparent, payment_id=event.payment_id)
    app.gateway_events_queue.send(step.body())
    return event


def _read_again(app: App, event: InboxEvent) -> InboxEvent:
    """Read the kept body as an event that has just come; it was verified when it came."""
    read = app.kept_event_readers.get(event.gateway)
    if read is None:
        raise InvalidStateError(f"nothing reads the events of {event.gateway}")
    body = _bytes_of(event.body)
    try:
        after = with_words_of(read({}, body), event)
    except UnmappedAnswerError as error:
        raise InvalidStateError(f"the event is {event.state} still: {error}") from error
    # Without the headers the id may be another than the one by which it was kept.
    after = replace(after, event_id=event.event_id or after.event_id)
    if not app.inbox.begin_anew(event, after, app.clock() + UNHEARD):
        raise InvalidStateError("the event was settled at the same moment; look at it again")
    return app.inbox.get(event.inbox_id) or after


def _bytes_of(kept: KeptBody) -> bytes:
    if kept.encoding == "base64":
        return base64.b64decode(kept.text)
    if kept.encoding or not kept.size:
        return kept.text.encode()
    raise InvalidStateError(f"its body was too long to be kept ({kept.size} bytes)")
