"""Signatures of PSPs' events in the form that Stripe made common.

    <name>-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<raw body>">[,v1=…]

Only `v1` counts: a scheme that we do not know (`v0`, `none`) signs nothing. There may be several
`v1` while the PSP rotates its secret, and several secrets while we do.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from riel.errors import SignatureInvalidError, TimestampOutOfToleranceError

TOLERANCE_SECONDS = 300
_MAX_HEADER = 1_000
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def verify(header: str | None, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Check a signature over the raw bytes of a body, in constant time.

    Raises SignatureInvalidError, or TimestampOutOfToleranceError where the signature holds but its
    time is more than five minutes from `now`, either way: a wrong clock is no forgery.
    """
    timestamp, signatures = _read(header)
    signed = timestamp.encode() + b"." + body
    # An empty secret would let anybody sign.
    expected = [_mac(secret, signed) for secret in secrets if secret]
    # Every pair is compared, so that the time tells nothing of which secret or signature it was.
    matches = [hmac.compare_digest(mac, given) for mac in expected for given in signatures]
    if not any(matches):
        raise SignatureInvalidError("no signature that the gateway can have made")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise TimestampOutOfToleranceError(
            f"signed more than {TOLERANCE_SECONDS} seconds from the time here"
        )


def _read(header: str | None) -> tuple[str, list[bytes]]:
    if not header or len(header) > _MAX_HEADER:
        raise SignatureInvalidError("the signature is missing, or is none")
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    timestamps = [value for name, value in pairs if name == "t"]
    signatures = [value.encode(errors="replace") for name, value in pairs if name == "v1"]
    # Two times could be read in two ways, so such a header is garbled.
    if len(timestamps) != 1 or not _TIMESTAMP.fullmatch(timestamps[0]) or not signatures:
        raise SignatureInvalidError("the signature can not be read")
    return timestamps[0], signatures


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
