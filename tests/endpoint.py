"""A merchant's endpoint on loopback: a real HTTP server."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Endpoint:
    """A merchant's endpoint: records what comes, answers what it is told to, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                endpoint.received.append((headers, body))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else 200)
                for name, value in endpoint.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"

    def bodies(self) -> list[dict[str, Any]]:
        """What came, in the order of arrival."""
        return [json.loads(body) for _, body in list(self.received)]


@contextmanager
def running_endpoint() -> Iterator[Endpoint]:
    """Serve until the block ends."""
    endpoint = Endpoint()
    # The end of a test waits for the next look at whether it has come.
    thread = Thread(target=endpoint.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        endpoint.server.server_close()
        thread.join()


Talk = Callable[[socket.socket], None]
"""What an endpoint does with a connection; the request has been read up to its body."""


class RawEndpoint:
    """An endpoint that speaks as badly as a test wants, with TLS if it has a context for it."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.names: list[str | None] = []
        """The names that TLS was asked for."""
        self.requests: list[bytes] = []
        """What came, up to the end of the headers at least."""
        self._talk = talk
        self._tls = tls
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def serve(self) -> None:
        """Take one connection after another, until `close`."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            request = b""
            while b"\r\n\r\n" not in request and (data := connection.recv(65_536)):
                request += data
            self.requests.append(request)
            if request:
                self._talk(connection)

    def close(self) -> None:
        """Take no connection any more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextmanager
def raw_endpoint(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[RawEndpoint]:
    """Serve until the block ends; a talk that has not ended by then is left behind."""
    endpoint = RawEndpoint(talk, tls)
    Thread(target=endpoint.serve, daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.close()
