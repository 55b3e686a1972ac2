"""The simulated PSP as a real HTTP server on loopback, in a process of its own.

Stands in for the PSP's servers, reached over a real connection. On the `dev` stage the same
handler runs as a Lambda behind a function URL; here each request becomes the event that the
function URL would send. A client that hangs up does not stop the handler, as at a real PSP, and
its events go out after the answer, as a real PSP's do.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import os
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final

import uvicorn

from functions.simulator.server import new_handler, new_poster
from infra.local.asgi import DisconnectedError, Receive, Scope, Send, read_body
from infra.local.processes import inherited_listeners, watch_parent
from infra.local.simulator_events import EventPool
from riel.config import SimulatorConfig

logger = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any], Any], Any]
HttpAnswer = tuple[int, list[tuple[str, str]], bytes]

# One that is never answered holds its thread for half a minute; look-ups must pass beside many.
CONCURRENT_REQUESTS: Final = 256
FUNCTION_TIMEOUT_SECONDS: Final = 60
_MAX_BODY_BYTES: Final = 1024 * 1024
_JSON: Final = [("content-type", "application/json")]
_TOO_LARGE: Final[HttpAnswer] = (413, _JSON, b'{"message":"Request Entity Too Large"}')
_BAD_GATEWAY: Final[HttpAnswer] = (502, _JSON, b'{"message":"Bad Gateway"}')


@dataclass(frozen=True)
class InvocationContext:
    """The part of Lambda's context object that handlers and Powertools read."""

    function_name: str = "riel-local-simulator"
    memory_limit_in_mb: int = 512
    function_version: str = "$LATEST"
    log_group_name: str = "/aws/lambda/riel-local-simulator"
    log_stream_name: str = "local"
    invoked_function_arn: str = (
        "arn:aws:lambda:us-east-1:000000000000:function:riel-local-simulator"
    )
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return the function's timeout: this server sets no deadline of its own."""
        return FUNCTION_TIMEOUT_SECONDS * 1000


class HandlerServer:
    """An ASGI application that answers every request by a Lambda handler, in a thread."""

    def __init__(self, handler: Handler, *, concurrency: int = CONCURRENT_REQUESTS) -> None:
        self._handler = handler
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="simulator")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        try:
            body = await read_body(scope, receive, _MAX_BODY_BYTES)
        except DisconnectedError:
            return
        if body is None:
            status, headers, content = _TOO_LARGE
        else:
            call = partial(self._call, request_event(scope, body))
            loop = asyncio.get_running_loop()
            status, headers, content = await loop.run_in_executor(self._pool, call)
        lines = [(n.lower().encode(), v.encode("latin-1", "replace")) for n, v in headers]
        lines.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})

    def _call(self, event: Mapping[str, Any]) -> HttpAnswer:
        try:
            return http_answer(self._handler(event, InvocationContext()))
        except Exception:  # a function that raises answers 502 at its function URL
            logger.exception("the handler failed")
            return _BAD_GATEWAY


def request_event(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the event of payload format 2.0 for a request."""
    merged: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        key = name.decode("latin-1").lower()
        merged[key] = f"{merged[key]},{text}" if key in merged else text
    query_string = scope["query_string"].decode("latin-1")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": scope["path"],
        "rawQueryString": query_string,
        "headers": merged,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "simulator",
            "domainName": merged.get("host", "localhost"),
            "domainPrefix": "simulator",
            "http": {
                "method": scope["method"],
                "path": scope["path"],
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": merged.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": "",
            "timeEpoch": 0,
        },
        "isBase64Encoded": False,
    }
    if query := dict(urllib.parse.parse_qsl(query_string, keep_blank_values=True)):
        event["queryStringParameters"] = query
    if body:
        event |= _body_fields(body)
    return event


def http_answer(answer: Any) -> HttpAnswer:
    """Return status, headers and body of a handler's answer in payload format 2.0."""
    if not (isinstance(answer, Mapping) and "statusCode" in answer):
        return 200, _JSON, json.dumps(answer).encode()
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    headers = [(str(n), str(v)) for n, v in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in answer.get("cookies") or []]
    return int(answer["statusCode"]), headers, content


def _body_fields(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def main() -> None:
    """Serve until the parent says so or ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listeners", required=True)
    arguments = parser.parse_args()
    settings = SimulatorConfig.from_environment()
    events = EventPool(new_poster(settings).post, settings.events, Random())
    config = uvicorn.Config(
        HandlerServer(new_handler(settings, events.send)),
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    # Handlers may still sleep for many seconds; nothing of theirs is worth waiting for.
    watch_parent(on_line=lambda _: None, on_end=lambda: os._exit(0))
    server.run(sockets=inherited_listeners(arguments.listeners))
    os._exit(0)


if __name__ == "__main__":
    main()
