"""The product's own port: stands in for the API Gateway HTTP API in front of the function.

The engine serves an API under `/_aws/execute-api/{apiId}/…` beside all of AWS. This port serves
that API alone, at the root, and closes the gaps between the engine's answers and API Gateway's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from email.utils import formatdate
from typing import Any

from infra.local.asgi import (
    Application,
    DisconnectedError,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
)

# API Gateway's own limits for an HTTP API.
MAX_BODY_BYTES = 10 * 1024 * 1024
INTEGRATION_TIMEOUT_SECONDS = 30.0
# Requests beyond the function's warm workers wait here: on the engine each one would fork
# another worker (50 MB, half a second of processor time), or be refused. A request is mostly
# computing, so more than two for each core answers no sooner.
CONCURRENT_REQUESTS = min(8, max(4, 2 * (os.cpu_count() or 1)))

_INTERNAL_ERROR = (500, {"message": "Internal Server Error"})
_UNAVAILABLE = (503, {"message": "Service Unavailable"})
_TOO_LARGE = (413, {"message": "Request Entity Too Large"})
_STARTING = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "The local stage is still starting.",
    "code": "starting",
}
_SDK_HEADERS = frozenset({b"host", b"x-amz-content-sha256", b"x-amz-security-token"})
_ENGINE_FAULTS = frozenset({429, 500, 502})


class ProductPort:
    """Serve one HTTP API of the engine at the root of a port, as API Gateway would."""

    def __init__(self, engine: Application, *, concurrency: int = CONCURRENT_REQUESTS) -> None:
        self._engine = engine
        self._places = asyncio.Semaphore(concurrency)
        self._api_id = ""

    def publish(self, api_id: str) -> None:
        """Begin to serve this API; until then every answer is 503."""
        self._api_id = api_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if not self._api_id:
            await _answer(send, 503, _STARTING, "application/problem+json", retry_after=1)
            return
        # Read before a place is taken, so that a slow sender holds nobody up.
        try:
            body = await read_body(scope, receive, MAX_BODY_BYTES)
        except DisconnectedError:
            return
        if body is None:
            await _answer(send, *_TOO_LARGE)
        else:
            await self._forward(scope, body, send)

    async def _forward(self, scope: Scope, body: bytes, send: Send) -> None:
        answer = _CheckedAnswer(send)
        try:
            async with asyncio.timeout(INTEGRATION_TIMEOUT_SECONDS), self._places:
                await self._engine(self._engine_scope(scope), _replay(body), answer)
            await answer.finish()
        except TimeoutError:
            if not answer.started:
                await _answer(send, *_UNAVAILABLE)

    def _engine_scope(self, scope: Scope) -> Scope:
        """Return the request as the engine routes it: by path, and never by its Host header."""
        prefix = f"/_aws/execute-api/{self._api_id}/$default"
        raw_path = scope.get("raw_path") or scope["path"].encode()
        return {
            **scope,
            "path": prefix + scope["path"],
            "raw_path": prefix.encode() + raw_path,
            "headers": _engine_headers(scope),
        }


class _CheckedAnswer:
    """Pass an answer on, but replace the engine's own fault messages by API Gateway's."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: Message | None = None
        self._body = b""
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in _ENGINE_FAULTS:
            self._held = message
        elif self._held is not None:
            self._body += message.get("body", b"")
        else:
            self.started = True
            await self._send(message)

    async def finish(self) -> None:
        """Send an answer that was held back for a look at its body."""
        if self._held is None:
            return
        self.started = True
        instead = _gateway_answer(self._held["status"], self._body)
        if instead is not None:
            await _answer(self._send, *instead)
            return
        await self._send(self._held)
        await self._send({"type": "http.response.body", "body": self._body})


def _gateway_answer(status: int, body: bytes) -> tuple[int, dict[str, str]] | None:
    """Return what API Gateway answers where the engine reports a fault; None for the function's.

    The engine sends a failed function's exception text as a 502, its own errors as a bare
    `message`, and a throttle as a 429 with a `Reason`. The product's own answers are
    `application/problem+json` objects and have none of these.
    """
    try:
        fields: Any = json.loads(body)
    except ValueError:
        return _INTERNAL_ERROR if status == 502 else None
    if not isinstance(fields, dict):
        return None
    if status == 502 and ("errorMessage" in fields or set(fields) == {"message"}):
        return _INTERNAL_ERROR
    if status == 500 and set(fields) == {"message"}:
        return _INTERNAL_ERROR
    if status == 429 and "Reason" in fields:
        return _UNAVAILABLE
    return None


def _engine_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers without what the engine would take for a call of an AWS SDK.

    By a foreign Host or a signature it would look for the API in another account, and it would
    decode an S3 upload. API Gateway passes all of these on; the product reads none of them.
    """
    host = f"localhost:{scope['server'][1]}".encode()
    others = [h for h in scope["headers"] if h[0] not in _SDK_HEADERS and not _is_signature(h)]
    return [(b"host", host), *_joined(others)]


def _joined(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Join repeated idempotency keys so that the function refuses them.

    API Gateway joins with a comma, and a key may hold a comma; here nobody has to guess.
    """
    name = b"idempotency-key"
    values = [value for header, value in headers if header == name]
    if len(values) < 2:
        return headers
    return [*(h for h in headers if h[0] != name), (name, b"\x1f".join(values))]


def _is_signature(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    if name == b"authorization":
        return value.startswith(b"AWS")
    return name == b"content-encoding" and b"aws-chunked" in value


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _answer(
    send: Send,
    status: int,
    fields: dict[str, Any],
    content_type: str = "application/json",
    *,
    retry_after: int | None = None,
) -> None:
    body = json.dumps(fields, separators=(",", ":")).encode()
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"date", formatdate(usegmt=True).encode()),
        (b"apigw-requestid", base64.b64encode(os.urandom(11))),
    ]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
