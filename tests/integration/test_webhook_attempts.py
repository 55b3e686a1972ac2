"""One attempt against endpoints that behave as badly as they can (FC-71), over real sockets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from threading import Event

import pytest

from riel.clock import utc_now
from riel.webhooks.egress import check_url
from riel.webhooks.sending import Answer, WebhookClient
from riel.webhooks.wire import MAX_ANSWER_BYTES
from tests.endpoint import Endpoint, RawEndpoint, Talk, raw_endpoint

SHORT_SECONDS = 0.5
"""A whole attempt's, where the endpoint is slower than any deadline."""
LONG_SECONDS = 600.0
"""Elsewhere: whatever ends an attempt there, it is not this, or the test runs out of time."""
PATIENCE_SECONDS = 60
GIGABYTE = 2**30


def post(url: str, body: bytes = b"{}", seconds: float = LONG_SECONDS) -> Answer:
    destination = check_url(url, allow_loopback=True)
    client = WebhookClient(seconds=seconds)
    return client.post(destination, lambda _h, _p: ["127.0.0.1"], {}, body, utc_now())


def says(*parts: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))

    return talk


def drips(first: bytes, drop: bytes) -> Talk:
    """Say something, then a little again and again, so that no single read is ever slow."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        pause = Event()
        while not pause.wait(0.05):
            connection.sendall(drop)

    return talk


def floods(first: bytes, rest: bytes, sent: list[int]) -> Talk:
    """Say something, then the rest as fast as possible, a gigabyte of it, if the other reads on."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        while sum(sent) < GIGABYTE:
            sent.append(connection.send(rest))

    return talk


def silent(connection: socket.socket) -> None:
    connection.settimeout(PATIENCE_SECONDS)
    while connection.recv(65_536):
        pass


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HEAD = b"HTTP/1.1 200 OK\r\n"


# --- the deadline is over all of it ------------------------------------------------------------


@pytest.mark.parametrize(
    "talk",
    [
        silent,
        drips(b"", b"H"),
        drips(HEAD, b"x"),
        drips(HEAD, b"x-drip: 1\r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "header", "headers", "interim answers"],
)
def test_fc_71_an_endpoint_that_hangs_or_drips_is_left_at_the_deadline(talk: Talk) -> None:
    with raw_endpoint(talk) as endpoint:
        answer = post(endpoint.url, seconds=SHORT_SECONDS)

    assert answer == Answer(0, "deadline_exceeded")
    assert endpoint.connections == 1


def test_fc_71_an_endpoint_that_does_not_read_is_left_at_the_deadline() -> None:
    def deaf(_connection: socket.socket) -> None:
        ended.wait(PATIENCE_SECONDS)

    ended = Event()
    with raw_endpoint(deaf) as endpoint:
        answer = post(endpoint.url, b"x" * 2**26, seconds=SHORT_SECONDS)
        ended.set()

    assert answer == Answer(0, "deadline_exceeded")


@pytest.mark.parametrize(
    ("first", "drop", "text"),
    [
        (b"content-length: 1000\r\n\r\nbegin", b"", "begin"),
        (b"content-length: 100000\r\n\r\nbegin", b".", "begin"),
        (b"transfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n", b"1;" + b"x" * 10, "begin"),
    ],
    ids=["nothing more", "a byte", "a chunk's size without end"],
)
def test_fc_71_a_body_that_drips_changes_nothing(first: bytes, drop: bytes, text: str) -> None:
    with raw_endpoint(drips(HEAD + first, drop)) as endpoint:
        answer = post(endpoint.url)

    assert (answer.status, answer.error) == (200, "")
    assert answer.text.startswith(text)


# --- and so is the bound on what is read -------------------------------------------------------


def test_fc_71_of_a_body_of_a_gigabyte_only_the_beginning_is_read() -> None:
    sent: list[int] = []
    head = HEAD + b"content-length: %d\r\n\r\n" % GIGABYTE

    with raw_endpoint(floods(head, b"x" * 65_536, sent)) as endpoint:
        answer = post(endpoint.url)

    assert answer == Answer(200, "", None, "x" * 256)
    # What lies in the system's buffers was sent too; it is megabytes, and was never read.
    assert sum(sent) < GIGABYTE / 10


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (HEAD, b"x-bomb: " + b"x" * 1_000 + b"\r\n"),
        (HEAD + b"x-bomb: ", b"x" * 65_536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"x" * 65_536),
        (b"", b"\x00" * 65_536),
    ],
    ids=["headers", "one header", "interim answers", "a reason", "zeros"],
)
def test_fc_71_an_answer_without_end_is_not_read_to_its_end(first: bytes, rest: bytes) -> None:
    sent: list[int] = []

    with raw_endpoint(floods(first, rest, sent)) as endpoint:
        answer = post(endpoint.url)

    assert answer == Answer(0, "protocol_error")
    assert sum(sent) < GIGABYTE / 10


def test_headers_may_fill_what_is_read_and_the_status_still_counts() -> None:
    rest = b"content-length: 9\r\n\r\n"
    filler = b"x: " + b"x" * (MAX_ANSWER_BYTES - len(HEAD) - len(rest) - 5) + b"\r\n"
    assert len(HEAD + filler + rest) == MAX_ANSWER_BYTES

    with raw_endpoint(says(HEAD, filler, rest, b"not read ")) as endpoint:
        assert post(endpoint.url) == Answer(200)


# --- what is answered --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_a_success(endpoint: Endpoint, status: int) -> None:
    endpoint.statuses = [status]

    assert post(endpoint.url).is_success


@pytest.mark.parametrize("status", [301, 304, 400, 401, 404, 410, 429, 500, 503, 599])
def test_fc_71_every_other_status_is_a_failure_with_its_number(
    endpoint: Endpoint, status: int
) -> None:
    endpoint.statuses = [status]

    answer = post(endpoint.url)

    assert (answer.status, answer.error, answer.is_success) == (status, "", False)
    assert answer.is_gone == (status == 410)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200),
        (b"HTTP/1.1 200 OK\r\n\r\nno length", 200),
        (b"HTTP/1.1 200\r\n\r\n", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\nwhat is this", 204),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", 202),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzzz\r\ngarbage", 200),
        (HEAD + b"content-length: 100\r\n\r\nhalf of what was prom", 200),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x00\x00", 200),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops", 500),
    ],
)
def test_a_status_counts_whatever_the_body_is(said: bytes, status: int) -> None:
    with raw_endpoint(says(said)) as endpoint:
        answer = post(endpoint.url)

    assert (answer.status, answer.error) == (status, "")


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 600 Higher than there are\r\n\r\n",
        b"HTTP/1.1 999 High\r\n\r\n",
        b"HTTP/1.1 1000 High\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: half",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_http_answer_is_a_failure(said: bytes) -> None:
    with raw_endpoint(says(said)) as endpoint:
        assert post(endpoint.url) == Answer(0, "protocol_error")


def closes(_connection: socket.socket) -> None:
    return


@pytest.mark.parametrize("talk", [closes, resets])
def test_a_connection_that_ends_before_an_answer_has_failed(talk: Talk) -> None:
    with raw_endpoint(talk) as endpoint:
        assert post(endpoint.url) == Answer(0, "connection_failed")


def test_nobody_listens() -> None:
    with raw_endpoint(closes) as endpoint:
        url = endpoint.url

    assert post(url) == Answer(0, "connection_failed")


def test_whoever_answers_before_the_request_is_read_has_answered() -> None:
    def refuses(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n")
        # Closed with the rest unread, so that the other's sending is reset.

    with raw_endpoint(refuses) as endpoint:
        assert post(endpoint.url, b"x" * 2**26).status == 413


def test_the_next_address_is_tried_only_where_no_connection_was_made(
    endpoint: Endpoint,
) -> None:
    destination = check_url(endpoint.url.replace("127.0.0.1", "localhost"), allow_loopback=True)
    endpoint.statuses = [500]

    answer = WebhookClient().post(
        destination, lambda _h, _p: ["::1", "127.0.0.1", "127.0.0.1"], {}, b"{}", utc_now()
    )

    assert answer.status == 500
    assert len(endpoint.received) == 1


# --- what is sent, and what is kept ------------------------------------------------------------


def test_a_request_asks_for_a_plain_answer_and_for_the_connections_end(
    endpoint: Endpoint,
) -> None:
    post(endpoint.url, b'{"a":1}')

    ((headers, body),) = endpoint.received
    assert body == b'{"a":1}'
    assert headers["accept-encoding"] == "identity"
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("Riel/")
    assert headers["host"] == endpoint.url.split("/")[2]


def target_of(endpoint: RawEndpoint) -> bytes:
    return endpoint.requests[0].split(b" ")[1]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", b"/"),
        ("/", b"/"),
        ("/a/../b//c/./", b"/a/../b//c/./"),
        ("/a%2Fb%zz?x=%20&y=a+b", b"/a%2Fb%zz?x=%20&y=a+b"),
        ("/a?b?c=d/e:@!$&'()*+,;=~", b"/a?b?c=d/e:@!$&'()*+,;=~"),
        ('/"<>^`{|}[]', b"/%22%3C%3E%5E%60%7B%7C%7D%5B%5D"),
        ("/a#fragment", b"/a"),
        ("/a?b=c#fragment?d", b"/a?b=c"),
    ],
)
def test_the_path_and_query_are_asked_for_as_they_were_given(path: str, target: bytes) -> None:
    with raw_endpoint(says(HEAD + b"\r\n")) as endpoint:
        post(endpoint.url.removesuffix("/") + path)

    assert target_of(endpoint) == target


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"thanks", "thanks"),
        ("gracias, señor \U0001f389".encode(), "gracias, señor \U0001f389"),
        (b"a\r\nb\tc", "a  b c"),
        (b"\x1b[2Jcleared\x00\x07", "\ufffd[2Jcleared\ufffd\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u202eesrever\u2066".encode(), "\ufffdesrever\ufffd"),
        (b"x" * 5_000, "x" * 256),
        ("é".encode() * 5_000, "é" * 256),
        ("\U0001f389".encode() * 5_000, "\U0001f389" * 256),
    ],
)
def test_the_beginning_of_the_answer_is_kept_and_does_no_harm(body: bytes, text: str) -> None:
    with raw_endpoint(says(HEAD, b"content-length: %d\r\n\r\n" % len(body), body)) as endpoint:
        assert post(endpoint.url).text == text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (lambda: "3600", {3600}),
        (lambda: format_datetime(utc_now() + timedelta(hours=1), usegmt=True), {3599, 3600}),
        (lambda: "soon", {None}),
    ],
)
def test_fc_71_429_tells_when_to_come_back(
    endpoint: Endpoint, header: Callable[[], str], seconds: set[int | None]
) -> None:
    endpoint.statuses, endpoint.headers = [429], {"Retry-After": header()}

    answer = post(endpoint.url)

    assert answer.status == 429
    assert answer.retry_after_seconds in seconds
