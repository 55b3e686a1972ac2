"""The server that wraps the simulator's Lambda handler, and how its events leave it."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import httpx
import pytest
import uvicorn

from functions.simulator.posting import may_call
from infra.local.listeners import internal_listener, port_of
from infra.local.simulator import HandlerServer, http_answer
from infra.local.simulator_events import EventPool
from riel.config import EventFaults
from tests.simulator_stage import until

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


class Receiver:
    """Takes events, or refuses the first so many of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[str] = []
        self.refused: list[str] = []
        self._refusals = refusals
        self._lock = threading.Lock()

    def __call__(self, url: str, event: dict[str, Any]) -> bool:
        with self._lock:
            if len(self.refused) < self._refusals:
                self.refused.append(event["id"])
                return False
            self.taken.append(event["id"])
            return True


def events(*names: str) -> list[dict[str, Any]]:
    return [{"id": name, "type": "charge.succeeded"} for name in names]


def send_all(receiver: Receiver, faults: EventFaults, names: str) -> None:
    """Send one event for each letter, then an end that nothing goes wrong with."""
    pool = EventPool(receiver, faults, Random(7), retry_seconds=(0.0, 0.0), threads=2)
    for event in events(*names):
        pool.send("http://127.0.0.1:9", event)


AT_ONCE = (0.0, 0.0)


def test_events_come_once_each_where_nothing_goes_wrong() -> None:
    receiver = Receiver()

    send_all(receiver, EventFaults(AT_ONCE), "abcdefgh")

    assert sorted(until(lambda: receiver.taken, lambda taken: len(taken) >= 8)) == [*"abcdefgh"]


def test_events_can_come_twice() -> None:
    receiver = Receiver()

    send_all(receiver, EventFaults(AT_ONCE, duplicate=1.0), "abc")

    assert sorted(until(lambda: receiver.taken, lambda taken: len(taken) >= 6)) == [*"aabbcc"]


def test_events_can_overtake_one_another() -> None:
    receiver = Receiver()

    send_all(receiver, EventFaults(AT_ONCE, reorder=0.5), "abcdefgh")

    taken = until(lambda: receiver.taken, lambda taken: len(taken) >= 8)
    assert sorted(taken) == [*"abcdefgh"]
    # With this seed the first one is held back for a second and more.
    assert taken.index("a") > taken.index("b")


def test_events_can_be_lost() -> None:
    receiver = Receiver()

    send_all(receiver, EventFaults(AT_ONCE, lose=0.5), "a" * 200)

    arrived = until(lambda: len(receiver.taken), lambda count: count > 50)
    assert arrived < 200


def test_an_event_that_nobody_takes_is_dropped_with_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    receiver = Receiver(refusals=3)

    send_all(receiver, EventFaults(AT_ONCE), "a")

    line = until(lambda: capsys.readouterr().out, bool)
    assert '"event_dropped": "a"' in line
    assert receiver.refused == ["a"] * 3
    assert receiver.taken == []


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8000/api", True),
        ("http://localhost:8000/api", True),
        ("https://api.example.com/x", True),
        ("http://api.example.com/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("http://169.254.169.254/latest", False),
        ("file:///etc/passwd", False),
        ("ftp://localhost/x", False),
        ("https://", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_events_go_to_this_machine_or_by_https_alone(url: str, allowed: bool) -> None:
    assert may_call(url) is allowed
