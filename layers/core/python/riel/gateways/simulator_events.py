"""The simulator's events: who signed them, and which of our objects they are about.

The id is taken from the signed body where it has one, so that nobody can send a true event again
under another id, or under the id of one that is still to come. `simulator-event-id` counts only
where the body has none, and without both the id is derived from the body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from riel.errors import UnmappedAnswerError
from riel.gateways.base import GatewayEvent
from riel.gateways.signatures import verify
from riel.gateways.simulator_answers import Body, instant_of, read_object, text_of

SIGNATURE_HEADER = "simulator-signature"
ID_HEADER = "simulator-event-id"


def parse_event(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> GatewayEvent:
    """Verify an event, then read it; see Gateway.parse_event. Unknown types and fields pass."""
    verify(headers.get(SIGNATURE_HEADER), body, secrets, now)
    return read_event(headers, body)


def read_event(headers: Mapping[str, str], body: bytes) -> GatewayEvent:
    """Read an event that was verified, now or when it came. Raises UnmappedAnswerError."""
    event = read_object(body)
    try:
        return _event(event, _event_id(event, headers, body))
    except (KeyError, TypeError, ValueError) as error:
        raise UnmappedAnswerError(f"not an event of the simulator: {error!r:.80}") from error


def _event(event: Body, event_id: str) -> GatewayEvent:
    about = event.get("data") or {}
    if type(event["livemode"]) is not bool or not isinstance(about, dict):
        raise TypeError("livemode or data")
    return GatewayEvent(
        event_id=event_id,
        type=text_of(event, "type"),
        livemode=event["livemode"],
        at=instant_of(event, "created_at"),
        payment_id=_optional(about, "payment_id"),
        refund_id=_optional(about, "refund_id"),
    )


def _event_id(event: Body, headers: Mapping[str, str], body: bytes) -> str:
    if event.get("id"):
        return text_of(event, "id")
    return headers.get(ID_HEADER) or f"body-{hashlib.sha256(body).hexdigest()}"


def _optional(about: Body, name: str) -> str:
    return text_of(about, name) if about.get(name) else ""
