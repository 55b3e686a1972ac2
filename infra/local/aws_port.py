"""The AWS endpoint's port: keeps web pages out of the engine, which has no authentication.

On AWS every call is signed and checked. Here any program of this machine may call, so the one
thing to prevent is a web page that sends requests to loopback, directly or by DNS rebinding.
"""

from __future__ import annotations

import json

from infra.local.asgi import Application, Receive, Scope, Send
from infra.names import command

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
# Resets or reconfigures the whole engine under the running stage, without authentication.
_FORBIDDEN_PATHS = ("/_ministack/reset", "/_ministack/config")


class AwsPort:
    """Pass on what the AWS SDKs send; refuse what a browser sends for a web page."""

    def __init__(self, engine: Application) -> None:
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "http" and (reason := refusal(scope)):
            await _refuse(send, reason)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._engine(scope, receive, send)


def refusal(scope: Scope) -> str:
    """Return why a request is refused, or an empty text for one that may pass."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if b"origin" in headers or headers.get(b"sec-fetch-site", "none") != "none":
        return "Requests of web pages are refused."
    if not _is_local(headers.get(b"host", "")):
        return "Address this endpoint as 127.0.0.1 or localhost."
    if scope["path"].startswith(_FORBIDDEN_PATHS):
        return f"This would wipe the running local stage; use {command()} down."
    return ""


def _is_local(host: str) -> bool:
    name = (host if host.endswith("]") else host.rsplit(":", 1)[0]).lower()
    # Names under localhost never leave the machine (RFC 6761); SDKs put S3 buckets there.
    return name in _LOCAL_HOSTS or name.endswith(".localhost")


async def _refuse(send: Send, reason: str) -> None:
    body = json.dumps({"message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
