"""The server that wraps the simulator's Lambda handler."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
import uvicorn

from infra.local.listeners import internal_listener, port_of
from infra.local.simulator import HandlerServer, http_answer

COUNT = 40
side_by_side = threading.Barrier(COUNT, timeout=60)
hung_up = threading.Event()
finished = threading.Event()


def handler(event: Mapping[str, Any], context: Any) -> Any:
    if event["rawPath"] == "/together":
        side_by_side.wait()
    if event["rawPath"] == "/held":
        assert hung_up.wait(60)
        finished.set()
    if event["rawPath"] == "/raise":
        raise RuntimeError("told to")
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json", "x-request": context.aws_request_id},
        "body": event.get("body", event["rawQueryString"]),
    }


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    listener = internal_listener(0)
    server = uvicorn.Server(
        uvicorn.Config(HandlerServer(handler), log_level="warning", lifespan="off")
    )
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    yield f"http://127.0.0.1:{port_of(listener)}"
    server.should_exit = True
    thread.join(timeout=5)


def test_a_request_becomes_an_event_and_the_answer_a_response(url: str) -> None:
    answer = httpx.post(f"{url}/charges", content=b'{"a":1}')
    assert answer.status_code == 201
    assert answer.text == '{"a":1}'
    assert answer.headers["x-request"]


def test_slow_requests_run_side_by_side(url: str) -> None:
    """No request of these is answered before all of them run."""

    async def all_at_once() -> list[int]:
        async with httpx.AsyncClient(timeout=90) as client:
            answers = await asyncio.gather(*(client.get(f"{url}/together") for _ in range(COUNT)))
            return [answer.status_code for answer in answers]

    assert asyncio.run(all_at_once()) == [201] * COUNT


def test_a_caller_that_hangs_up_does_not_stop_the_handler(url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/held", timeout=0.2)
    hung_up.set()
    assert finished.wait(60)


def test_a_handler_that_raises_is_a_bad_gateway(url: str) -> None:
    assert httpx.get(f"{url}/raise").status_code == 502


def test_a_binary_answer_is_decoded() -> None:
    body = base64.b64encode(b"\x00\x01").decode()
    answer = {"statusCode": 200, "isBase64Encoded": True, "body": body, "cookies": ["a=1"]}
    assert http_answer(answer) == (200, [("set-cookie", "a=1")], b"\x00\x01")
