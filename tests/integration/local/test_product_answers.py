"""What the product's port answers by itself, with a stand-in for the engine."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from infra.local.asgi import Message, Receive, Scope, Send
from infra.local.product_port import ProductPort

Answer = tuple[int, dict[str, str], bytes]


def ask(port: ProductPort, *messages: Message) -> Answer | None:
    """Send one request through a port; None when nothing was answered."""
    sent: list[Message] = []
    incoming = list(messages or [{"type": "http.request", "body": b""}])

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "headers": [(b"host", b"localhost:8000")],
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(port(scope, receive, send))
    if not sent:
        return None
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:])


def engine(status: int, fields: Any, seen: list[Scope] | None = None) -> ProductPort:
    """Return a published port in front of an engine that always answers the same."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if seen is not None:
            seen.append({**scope, "body": (await receive())["body"]})
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    port = ProductPort(answer)
    port.publish("abc123")
    return port


def test_before_the_deployment_the_answer_is_a_problem_that_says_to_come_again() -> None:
    async def unused(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the engine is not asked")

    answer = ask(ProductPort(unused))
    assert answer is not None
    status, headers, body = answer
    assert status == 503
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
    assert json.loads(body)["status"] == 503


def test_the_engine_is_addressed_by_path() -> None:
    seen: list[Scope] = []
    ask(engine(200, {}, seen), {"type": "http.request", "body": b"{}"})
    assert seen[0]["path"] == "/_aws/execute-api/abc123/$default/a b"
    assert seen[0]["raw_path"] == b"/_aws/execute-api/abc123/$default/a%20b"
    assert seen[0]["body"] == b"{}"


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (502, {"errorMessage": "secret", "errorType": "KeyError"}, (500, "Internal Server Error")),
        (502, {"message": "Lambda function 'x' not found"}, (500, "Internal Server Error")),
        (502, b"Task timed out", (500, "Internal Server Error")),
        (500, {"message": "'NoneType' object"}, (500, "Internal Server Error")),
        (
            429,
            {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded"},
            (503, "Service Unavailable"),
        ),
    ],
)
def test_the_engines_faults_become_api_gateways(
    status: int, fields: Any, expected: tuple[int, str]
) -> None:
    answer = ask(engine(status, fields))
    assert answer is not None
    assert (answer[0], json.loads(answer[2])) == (expected[0], {"message": expected[1]})


@pytest.mark.parametrize("status", [429, 500, 502])
def test_the_products_own_problems_are_kept(status: int) -> None:
    problem = {"type": "about:blank", "status": status, "code": "x"}
    answer = ask(engine(status, problem))
    assert answer is not None
    assert (answer[0], json.loads(answer[2])) == (status, problem)


def test_half_a_body_is_never_handed_over() -> None:
    seen: list[Scope] = []
    half = {"type": "http.request", "body": b'{"amo', "more_body": True}
    assert ask(engine(200, {}, seen), half, {"type": "http.disconnect"}) is None
    assert seen == []
