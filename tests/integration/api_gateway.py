"""API Gateway's HTTP API in front of the deployed handler, in this process: raw HTTP in and out.

Events are made as API Gateway makes them (payload format 2.0), so that what a client can really
send is what the handler gets: decoded paths, joined headers, bodies that are not UTF-8.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from riel.app import App
from tests.handlers import Context, load_handler

Headers = Iterable[tuple[str, str]]
_TABLES = ("payments", "outbox", "merchants", "idempotency", "limits")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: str


class ApiGateway:
    """Sends raw requests to the handler."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        names = (
            *(f"{table}_table" for table in _TABLES),
            "simulator_url",
            "routes",
            "webhooks_queue_url",
        )
        settings = {f"RIEL_{name.upper()}": getattr(app.config, name) for name in names}
        handler, self.module = load_handler("api", {**settings, **environment}, monkeypatch)
        self._handler = handler

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Headers = (),
        body: bytes = b"",
        *,
        as_text: bool = False,
    ) -> Answer:
        """Paths and queries are percent-encoded; `as_text` is for a body that is not base 64."""
        event = event_of(method, path, query, headers, body, as_text=as_text)
        answer = self._handler(event, Context())
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def event_of(
    method: str, path: str, query: str, headers: Headers, body: bytes, *, as_text: bool
) -> dict[str, Any]:
    """Make the event of one request."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": _decoded(path),
        "rawQueryString": query,
        "headers": _joined((name.lower(), value) for name, value in headers),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "http": {
                "method": method,
                "path": _decoded(path),
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "17/Apr/2026:12:00:00 +0000",
            "timeEpoch": 1776427200000,
        },
        "isBase64Encoded": not as_text,
    }
    if query:
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
        event["queryStringParameters"] = _joined(pairs)
    if body:
        event["body"] = (
            body.decode("utf-8", "replace") if as_text else base64.b64encode(body).decode()
        )
    return event


def _joined(pairs: Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _decoded(path: str) -> str:
    """Decode every escape but `%25`, which API Gateway leaves as it is."""

    def decode(match: re.Match[str]) -> str:
        runs = (bytes.fromhex(run.replace("%", "")) for run in match[0].split("%25"))
        return "%25".join(run.decode("utf-8", "replace") for run in runs)

    return _ESCAPES.sub(decode, path)


def as_asgi(send_one: Callable[..., Answer]) -> Any:
    """The same for clients that speak ASGI; `send_one` is called as `ApiGateway.send` is."""

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        answer = send_one(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            headers,
            body + message.get("body", b""),
        )
        raw = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body.encode()})

    return serve
