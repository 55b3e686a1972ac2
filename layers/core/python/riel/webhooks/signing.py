"""Standard Webhooks signatures (https://www.standardwebhooks.com, specification 1.0).

`v1,` and the base 64 of HMAC-SHA256 over `id.timestamp.body`, under the bytes that a secret
`whsec_<base 64>` stands for. During a rotation a webhook carries one signature for each secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Sign one webhook; raises ValueError for a secret that is empty or not base 64."""
    content = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    mac = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def headers(
    secrets: Sequence[str], webhook_id: str, sent_at: datetime, body: bytes
) -> dict[str, str]:
    """Build the three headers of one attempt; `sent_at` is the attempt's time, not the event's."""
    timestamp = int(sent_at.timestamp())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(s, webhook_id, timestamp, body) for s in secrets),
    }


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    try:
        # Padding is optional in secrets that people copy by hand.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base 64") from error
    if not key:
        raise ValueError("an empty webhook secret")
    return key
