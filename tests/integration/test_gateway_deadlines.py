"""A PSP that answers without an end: one deadline and one bound over each call. Real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import httpx
import pytest

from riel.domain.money import Money
from riel.errors import (
    ConfigurationError,
    GatewayUnavailableError,
    OutcomeUnknownError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, ChargeRequest, RefundRequest
from riel.gateways.simulator import MAX_BODY_BYTES, SimulatorGateway
from tests.builders import make_app

PESOS = Money(10_050, "MXN")
CHARGE = ChargeRequest("chg_1", "pay_1", PESOS, token="tok_ok")
REFUND = RefundRequest("rfd_1", "re_1", "pay_1", "chg_1", "sim_1", PESOS)
CHARGED = json.dumps(
    {
        "idempotency_key": "chg_1",
        "payment_id": "pay_1",
        "status": "succeeded",
        "charge_id": "sim_1",
        "amount": 10_050,
        "received": 10_050,
        "currency": "MXN",
    }
).encode()
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PATIENCE_SECONDS = 60
"""Of a PSP that drips: so long, a call without a deadline would go on."""

Answer = Callable[[socket.socket], None]


class Psp:
    """Accepts connections, reads one request of each, and answers as badly as the test wants."""

    def __init__(self, answer: Answer) -> None:
        self.connections = 0
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                while reads_request(connection):
                    self._answer(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE_SECONDS)


def reads_request(connection: socket.socket) -> bool:
    """Read a whole request; False when the connection has ended."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (part := connection.recv(65_536)):
            return False
        request += part
    headers, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", headers.lower())
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return True


@contextmanager
def psp_that(answer: Answer, seconds: float = 0.5) -> Iterator[tuple[SimulatorGateway, Psp]]:
    psp = Psp(answer)
    try:
        with httpx.Client(base_url=psp.url, timeout=seconds, trust_env=False) as client:
            yield SimulatorGateway(client), psp
    finally:
        psp.close()


def dripping(start: bytes, drop: bytes) -> Answer:
    """Each read succeeds within its own timeout, so only one deadline over all can end it."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            connection.sendall(drop)
            Event().wait(0.05)

    return answer


DRIPS = [
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n", id="headers"),
    pytest.param(OK + b"content-length: 100000\r\n\r\n", b" ", id="a body of a length"),
    pytest.param(OK + b"\r\n", b" ", id="a body without a length"),
    pytest.param(OK + b"\r\n" + CHARGED, b" ", id="a body that tells an outcome, and goes on"),
]


@pytest.mark.parametrize(("start", "drop"), DRIPS)
def test_fc_45_an_answer_that_drips_is_a_lost_answer_when_the_time_of_the_call_is_over(
    start: bytes, drop: bytes
) -> None:
    with psp_that(dripping(start, drop)) as (gateway, _):
        with pytest.raises(OutcomeUnknownError, match="DeadlineExceeded"):
            gateway.charge(CHARGE)
        with pytest.raises(OutcomeUnknownError, match="DeadlineExceeded"):
            gateway.refund(REFUND)


@pytest.mark.parametrize(("start", "drop"), DRIPS)
def test_fc_45_a_look_up_whose_answer_drips_is_unavailable(start: bytes, drop: bytes) -> None:
    with psp_that(dripping(start, drop)) as (gateway, psp):
        for ask in (gateway.look_up, gateway.void, gateway.look_up_refund):
            with pytest.raises(GatewayUnavailableError, match="no answer"):
                ask("chg_1")
    assert psp.connections == 3


def charged(connection: socket.socket) -> None:
    connection.sendall(OK + f"content-length: {len(CHARGED)}\r\n\r\n".encode() + CHARGED)


def test_a_connection_serves_one_call_so_that_each_can_be_cut() -> None:
    """The first answer is as it should be, and leaves its connection open."""
    drip = dripping(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n")
    answers = iter([charged, drip])

    def answer(connection: socket.socket) -> None:
        next(answers)(connection)

    with psp_that(answer) as (gateway, psp):
        assert gateway.charge(CHARGE) == Charged("pay_1", PESOS, "sim_1", PESOS)
        with pytest.raises(OutcomeUnknownError, match="DeadlineExceeded"):
            gateway.charge(CHARGE)

    assert psp.connections == 2


def flooding(connection: socket.socket) -> None:
    connection.sendall(OK + b"\r\n")
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        connection.sendall(b" " * 65_536)


def test_an_answer_without_an_end_is_read_up_to_a_bound_and_means_nothing() -> None:
    with psp_that(flooding, PATIENCE_SECONDS) as (gateway, _):
        with pytest.raises(UnmappedAnswerError, match=str(MAX_BODY_BYTES)):
            gateway.charge(CHARGE)
        with pytest.raises(UnmappedAnswerError, match=str(MAX_BODY_BYTES)):
            gateway.look_up("chg_1")


def test_the_longest_answer_that_is_read_is_exactly_the_bound() -> None:
    body = CHARGED.ljust(MAX_BODY_BYTES)

    def answer(connection: socket.socket) -> None:
        connection.sendall(OK + f"content-length: {len(body)}\r\n\r\n".encode() + body)

    with psp_that(answer, PATIENCE_SECONDS) as (gateway, _):
        assert gateway.charge(CHARGE) == Charged("pay_1", PESOS, "sim_1", PESOS)
        body += b" "
        with pytest.raises(UnmappedAnswerError):
            gateway.charge(CHARGE)


def test_what_is_packed_although_nobody_asked_for_it_is_not_unpacked() -> None:
    asked: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"].encode())
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Never())

    client = httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    with pytest.raises(UnmappedAnswerError, match="encoding"):
        SimulatorGateway(client).charge(CHARGE)
    assert asked == [b"identity"]


class Never(httpx.SyncByteStream):
    """A body that nobody may read."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("status", "error"), [(503, GatewayUnavailableError), (500, OutcomeUnknownError)]
)
def test_a_status_that_tells_no_outcome_is_enough_whatever_its_body_does(
    status: int, error: type[Exception]
) -> None:
    start = f"HTTP/1.1 {status} Sorry\r\ncontent-length: 100000\r\n\r\n".encode()
    drip = dripping(start, b" ")
    with (
        psp_that(drip, PATIENCE_SECONDS) as (gateway, _),
        pytest.raises(error, match=f"HTTP {status}"),
    ):
        gateway.charge(CHARGE)


def test_the_whole_of_a_call_has_the_time_that_the_stage_gives_it() -> None:
    """Lease and batches are reckoned with it."""
    with psp_that(dripping(b"HTTP/1.1 200 OK\r\n", b"x-drip: 1\r\n")) as (_, psp):
        app = make_app(gateway_timeout_seconds=0.5, simulator_url=psp.url)
        with pytest.raises(OutcomeUnknownError, match="DeadlineExceeded"):
            app.gateways["simulator"].charge(CHARGE)


def test_a_client_without_a_timeout_is_refused() -> None:
    with httpx.Client(timeout=None) as client, pytest.raises(ConfigurationError):
        SimulatorGateway(client)
