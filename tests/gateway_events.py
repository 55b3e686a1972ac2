"""Events as the simulated PSP sends them, made by hand: they owe nothing to the code under test."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from tests.builders import NOON

SECRET = "the-simulator-and-riel-share-this-one"
SECRET_NAME = "riel-test-simulator"


def event_body(payment_id: str, event_id: str | None = "evt_sim_1", **fields: Any) -> bytes:
    """A charge that succeeded; `data` adds to what it is about."""
    data = {"payment_id": payment_id, "status": "succeeded", **fields.pop("data", {})}
    event = {
        "id": event_id,
        "type": "charge.succeeded",
        "created_at": "2026-04-17T12:00:00.000Z",
        "livemode": False,
        "data": data,
        **fields,
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def sign(body: bytes, secret: str = SECRET, at: datetime = NOON) -> dict[str, str]:
    """The headers that the PSP sends with a body."""
    timestamp = int(at.timestamp())
    signed = str(timestamp).encode() + b"." + body
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {"simulator-signature": f"t={timestamp},v1={mac}", "content-type": "application/json"}
