"""Merchants' endpoints on loopback: one that answers as it is told, and two that waste time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEADERS_OF_A_DRIP = b"HTTP/1.1 200 OK\r\nx-drip: "
DRIP_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Reply:
    """What a sink answers."""

    status: int = 200
    after_seconds: float = 0.0
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that was answered: by its `webhook-id`, on the monotonic clock."""

    webhook_id: str
    at: float
    status: int


Script = Callable[[str, int], Reply]
"""Says what to answer, by the `webhook-id` and how often it has come (1 for the first time)."""


class Sink:
    """An endpoint that answers by its script, and remembers what came."""

    def __init__(self, script: Script) -> None:
        self.arrivals: list[Arrival] = []
        self._script = script
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def ids(self) -> set[str]:
        """The events that came and were taken."""
        return {one.webhook_id for one in list(self.arrivals) if one.status < 300}

    def answer(self, webhook_id: str) -> Reply:
        """Note an arrival, wait as the script says, and return what it says."""
        at = time.monotonic()
        with self._lock:
            self._seen[webhook_id] += 1
            times = self._seen[webhook_id]
        reply = self._script(webhook_id, times)
        time.sleep(reply.after_seconds)
        self.arrivals.append(Arrival(webhook_id, at, reply.status))
        return reply


@contextlib.contextmanager
def running_sink(script: Script = lambda _id, _times: Reply()) -> Iterator[tuple[Sink, str]]:
    """Serve until the block ends; yields the sink and its URL."""
    sink = Sink(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            reply = sink.answer(self.headers["webhook-id"])
            self.send_response(reply.status)
            if reply.retry_after:
                self.send_header("retry-after", reply.retry_after)
            self.send_header("content-length", "0")
            with contextlib.suppress(ConnectionError):  # the sender was killed meanwhile
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink, f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Connections:
    """Counts the connections that are open at a time."""

    def __init__(self) -> None:
        self.open, self.most, self.total = 0, 0, 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.open += 1
            self.total += 1
            self.most = max(self.most, self.open)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.open -= 1


@contextlib.contextmanager
def time_waster(connections: Connections, *, drips: bool) -> Iterator[str]:
    """Accept and never answer, or drip the header of an answer that never ends; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ended = threading.Event()

    def hold(peer: socket.socket) -> None:
        # Until the sender gives up: its end of the connection is closed then.
        with connections, peer, contextlib.suppress(OSError):
            peer.settimeout(DRIP_SECONDS)
            if drips:
                peer.sendall(HEADERS_OF_A_DRIP)
            while not ended.is_set():
                try:
                    if not peer.recv(65_536):
                        return
                except TimeoutError:
                    if drips:
                        peer.sendall(b"z")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=hold, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
