"""Posts events, signed, to the URL that a request named.

simulator-event-id: <the event's id>
simulator-signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from botocore.exceptions import BotoCoreError, ClientError

ATTEMPTS = 2
_SECRET_SECONDS = 60.0
_LOOPBACK = ("127.0.0.1", "localhost")


def may_call(url: str) -> bool:
    """Whether events may go there: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        )
    except ValueError:
        return False


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Sign a body as sent at `timestamp` (unix seconds)."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Secret:
    """The current version of a secret, read on first use and then once a minute at most."""

    def __init__(self, secrets: Any, name: str) -> None:
        """`secrets` is a client of Secrets Manager."""
        self._secrets = secrets
        self._name = name
        self._known: tuple[float, str] | None = None

    def __call__(self) -> str:
        """Return the secret's text; raises boto's errors where it can not be read."""
        now = time.monotonic()
        if self._known is None or now - self._known[0] > _SECRET_SECONDS:
            text = self._secrets.get_secret_value(SecretId=self._name)["SecretString"]
            self._known = now, text
        return self._known[1]


class Poster:
    """Posts one event at a time; safe between threads."""

    def __init__(
        self,
        secret: Callable[[], str],
        clock: Callable[[], datetime],
        *,
        timeout_seconds: float = 2.0,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._client = httpx.Client(
            timeout=timeout_seconds, follow_redirects=False, trust_env=False
        )

    def post(self, url: str, event: dict[str, Any]) -> bool:
        """Try once; whether the receiver took it."""
        if not may_call(url):
            return False
        body = json.dumps(event).encode()
        try:
            signed = signature(self._secret(), int(self._clock().timestamp()), body)
            headers = {
                "content-type": "application/json",
                "simulator-event-id": event["id"],
                "simulator-signature": signed,
            }
            return self._client.post(url, content=body, headers=headers).is_success
        except (httpx.HTTPError, httpx.InvalidURL, BotoCoreError, ClientError):
            return False

    def post_now(self, url: str, event: dict[str, Any]) -> None:
        """Post before the answer: all that a function can do, which stops when it has answered."""
        if not any(self.post(url, event) for _ in range(ATTEMPTS)):
            dropped(event)


def dropped(event: dict[str, Any]) -> None:
    """Say in the log that nobody took an event."""
    print(json.dumps({"event_dropped": event["id"], "type": event["type"]}), flush=True)  # noqa: T201
