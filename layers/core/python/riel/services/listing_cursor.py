"""Cursors of a list: where the next page begins, sealed so that they fit one list alone.

base64url, without padding, of `1.<expiry, epoch seconds>.<position>` and the first 16 bytes of
an HMAC-SHA256 over that and the list's scope, under the merchant's own secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta

from riel.errors import MalformedRequestError

LIFE = timedelta(hours=24)
MAX_LENGTH = 256
_VERSION = "1"
_MAC_BYTES = 16


class ListingCursors:
    """Writes and reads the cursors of one list; `scope` is all that makes it that list."""

    def __init__(self, secret: str, scope: tuple[str, ...]) -> None:
        self._secret = secret.encode()
        self._scope = scope

    def write(self, position: str, now: datetime) -> str:
        """Write the cursor of what follows a position; it lasts for 24 hours."""
        payload = f"{_VERSION}.{int((now + LIFE).timestamp())}.{position}"
        return _encode(payload.encode() + self._mac(payload.encode()))

    def read(self, cursor: str, now: datetime) -> str:
        """Return the position; raises MalformedRequestError, the same for every cause."""
        raw = _decode(cursor)
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            raise _invalid()
        version, expiry, position = payload.decode().split(".", 2)
        if version != _VERSION or int(expiry) <= now.timestamp():
            raise _invalid()
        return position

    def _mac(self, payload: bytes) -> bytes:
        # A JSON list, because parts that are only joined could be cut elsewhere.
        content = json.dumps([payload.hex(), *self._scope]).encode()
        return hmac.new(self._secret, content, hashlib.sha256).digest()[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(cursor: str) -> bytes:
    if len(cursor) > MAX_LENGTH:
        return b""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        return b""
    # The decoder drops what is not base 64; only the one spelling that we wrote is a cursor.
    return raw if _encode(raw) == cursor else b""


def _invalid() -> MalformedRequestError:
    return MalformedRequestError(
        "this cursor was changed, is over 24 hours old, or is of another list (other filters,"
        " another mode or merchant); begin again without a cursor",
        code="invalid_cursor",
        field="cursor",
    )
