"""A PSP's event comes in: verified over its raw bytes, stored once, looked into later.

The answer says only that it was stored, so that it is quick; what the event leads to is
`process_gateway_event`'s. An event that comes again before it was processed is sent there again,
because whoever took it first may have died before sending it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from riel import ids
from riel.errors import (
    NotFoundError,
    SignatureInvalidError,
    TimestampOutOfToleranceError,
    UnmappedAnswerError,
)
from riel.gateways.base import GatewayEvent
from riel.observability import count, logger
from riel.services.gateway_secrets import FRESH_SECONDS
from riel.services.inbox_step import InboxStep
from riel.store.inbox import OPEN, InboxEvent, KeptBody, State

if TYPE_CHECKING:
    from riel.app import App

MAX_KEPT_BODY = 64 * 1024
"""A longer body is not kept, only its length and hash: an item must stay small."""
MAX_KEPT_TEXT = 200


def receive_gateway_event(
    app: App, gateway: str, headers: Mapping[str, str], body: bytes, traceparent: str = ""
) -> str:
    """Take one event; return what was done, for the log. Header names are in lower case.

    Raises NotFoundError for a gateway that sends us nothing, SignatureInvalidError and
    TimestampOutOfToleranceError, with nothing stored, and StoreUnavailableError: the PSP is to
    send it again.
    """
    event = _verified(app, gateway, headers, body, traceparent)
    before = app.inbox.put(event)
    if before is None:
        count("GatewayEventReceived")
    state = before.state if before else event.state
    if state not in OPEN:
        return f"{event.inbox_id}: {state}"
    step = InboxStep(event.inbox_id, traceparent=event.traceparent, payment_id=event.payment_id)
    app.gateway_events_queue.send(step.body())
    return f"{event.inbox_id}: {state}, sent"


def _verified(
    app: App, gateway: str, headers: Mapping[str, str], body: bytes, traceparent: str
) -> InboxEvent:
    try:
        told = _read(app, gateway, headers, body)
    except SignatureInvalidError:
        count("GatewaySignatureInvalid")
        raise
    except TimestampOutOfToleranceError:
        count("GatewayTimestampOutOfTolerance")
        raise
    except UnmappedAnswerError:
        # The PSP would send it for days and it would be no clearer, so it is taken and shown.
        count("GatewayEventUnreadable")
        logger.error("a signed event can not be read", extra={"gateway": gateway})
        return _unreadable(app, gateway, body, traceparent)
    event = InboxEvent(
        inbox_id=ids.inbox_id(gateway, _sayable(told.event_id)),
        gateway=gateway,
        event_id="",
        received_at=app.clock(),
        body=_keep(body),
        traceparent=traceparent,
    )
    return with_words_of(told, event)


def with_words_of(told: GatewayEvent, event: InboxEvent) -> InboxEvent:
    """Say of an event what its body says, as far as a table takes it."""
    return replace(
        event,
        event_id=_short(told.event_id),
        type=_short(told.type),
        livemode=told.livemode,
        at=told.at,
        payment_id=_short(told.payment_id),
        refund_id=_short(told.refund_id),
    )


def _read(app: App, gateway: str, headers: Mapping[str, str], body: bytes) -> GatewayEvent:
    read = app.event_readers.get(gateway)
    if read is None:
        raise NotFoundError("no gateway of this name sends events here")
    now = app.clock()
    secrets = app.gateway_secrets.accepted()
    try:
        return read(headers, body, secrets, now)
    except SignatureInvalidError:
        newer = app.gateway_secrets.accepted(FRESH_SECONDS)
        if newer == secrets:
            raise
    return read(headers, body, newer, now)


def _unreadable(app: App, gateway: str, body: bytes, traceparent: str) -> InboxEvent:
    kept = _keep(body)
    return InboxEvent(
        inbox_id=ids.inbox_id(gateway, f"unreadable-{kept.sha256}"),
        gateway=gateway,
        event_id="",
        received_at=app.clock(),
        body=kept,
        state=State.UNREADABLE,
        traceparent=traceparent,
    )


def _keep(body: bytes) -> KeptBody:
    sha256 = hashlib.sha256(body).hexdigest()
    if len(body) > MAX_KEPT_BODY:
        return KeptBody(sha256, len(body))
    try:
        return KeptBody(sha256, len(body), "utf-8", body.decode())
    except UnicodeDecodeError:
        return KeptBody(sha256, len(body), "base64", base64.b64encode(body).decode())


def _sayable(text: str) -> str:
    """JSON may hold half of a character, which nothing that stores text takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _short(text: str) -> str:
    return _sayable(text)[:MAX_KEPT_TEXT]
