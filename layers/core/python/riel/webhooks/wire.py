"""HTTP on one connection to an endpoint that is not trusted: bounded in time and in bytes.

A general client would keep, decode and follow more than a webhook needs, and its timeouts are per
read, so an endpoint that sends a byte every few seconds would hold a worker for ever. Here every
wait gets what is left of the deadline, and an answer is read up to its bound. h11 speaks HTTP.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import h11

from riel.deadline import Deadline
from riel.webhooks.egress import Destination

CONNECT_SECONDS = 5.0
"""For the connection to one address, and again for TLS on it."""
BODY_SECONDS = 1.0
"""For the beginning of a body, which is only shown: the status has decided by then."""
MAX_ADDRESSES = 4
MAX_ANSWER_BYTES = 16 * 1024
"""Of all that is read from an endpoint: interim answers, headers, body."""
_READ_BYTES = 4 * 1024
_CLOSED_EARLY = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


def connect(
    destination: Destination, addresses: Sequence[str], tls: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    """Connect to the first address that can be connected to; raises OSError.

    TLS asks for, and verifies, the destination's name; only the connection goes to the address.
    """
    tried = addresses[:MAX_ADDRESSES]
    for number, address in enumerate(tried, start=1):
        try:
            return _connect(destination, address, tls, deadline)
        except OSError as error:
            # A certificate that is not good is an answer: no other address is asked for one.
            if number == len(tried) or isinstance(error, ssl.SSLError) or deadline.is_over:
                raise
    raise OSError("no address")


def _connect(
    destination: Destination, address: str, tls: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    seconds = min(CONNECT_SECONDS, _left(deadline))
    connection = socket.create_connection((address, destination.port), seconds)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if destination.scheme == "http":
            return connection
        connection.settimeout(min(CONNECT_SECONDS, _left(deadline)))
        # As bytes, because for a text Python would load its codec of international names.
        return tls.wrap_socket(connection, server_hostname=destination.host.encode())
    except BaseException:
        connection.close()
        raise


class Wire:
    """One exchange.

    Raises OSError where the connection fails, TimeoutError at the deadline, and
    h11.RemoteProtocolError for what is no HTTP answer, or one that is too large.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._bytes_left = MAX_ANSWER_BYTES
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_BYTES)

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> h11.Response:
        """Send a request, and read as far as the headers of its answer."""
        request = h11.Request(method="POST", target=target, headers=list(headers.items()))
        # Whoever answers before the whole request is there, and closes, has answered.
        with contextlib.suppress(*_CLOSED_EARLY):
            self._send(request, h11.Data(data=body), h11.EndOfMessage())
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event

    def beginning(self, size: int) -> bytes:
        """Read so many bytes of the body, or what there is of them within BODY_SECONDS."""
        self._deadline = Deadline(min(BODY_SECONDS, self._deadline.remaining))
        found = bytearray()
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            while len(found) < size and isinstance(event := self._next(), h11.Data):
                found += event.data
        return bytes(found[:size])

    def _send(self, *events: h11.Event) -> None:
        rest = memoryview(b"".join(self._http.send(event) or b"" for event in events))
        while rest:
            self._connection.settimeout(_left(self._deadline))
            rest = rest[self._connection.send(rest) :]

    def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._receive())
        return event

    def _receive(self) -> bytes:
        if not self._bytes_left:
            raise h11.RemoteProtocolError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        self._connection.settimeout(_left(self._deadline))
        data = self._connection.recv(min(_READ_BYTES, self._bytes_left))
        if not data and self._bytes_left == MAX_ANSWER_BYTES:
            raise ConnectionError("closed without an answer")
        self._bytes_left -= len(data)
        return data


def _left(deadline: Deadline) -> float:
    # A timeout of 0 would mean not to wait at all, and none at all, to wait for ever.
    if deadline.is_over:
        raise TimeoutError("the deadline is over")
    return deadline.remaining or 0.001
