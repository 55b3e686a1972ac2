"""The merchant's side of the demo: a real HTTP endpoint that verifies each signature itself."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from infra.cli.demo.orders import Arrival
from riel.webhooks.signing import sign

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 64 * 1024
MAX_ARRIVALS = 10_000


def is_genuine(secret: str, headers: Any, body: bytes, now: datetime) -> bool:
    """Check a webhook as a merchant does: recent, and signed with our secret."""
    try:
        timestamp = int(headers.get("webhook-timestamp", ""))
    except ValueError:
        return False
    if abs(now.timestamp() - timestamp) > TOLERANCE_SECONDS:
        return False
    expected = sign(secret, headers.get("webhook-id", ""), timestamp, body)
    signatures = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


class WebhookEndpoint:
    """An HTTP server on a free port of 127.0.0.1; remembers what came, by payment."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._arrivals: dict[str, Arrival] = {}
        self._lock = threading.Lock()
        self.on_arrival: Callable[[Arrival], None] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="webhook-endpoint", daemon=True
        )

    @property
    def url(self) -> str:
        """Where webhooks are to be sent."""
        return f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arrival(self, payment_id: str) -> Arrival | None:
        """Return the last webhook of a payment."""
        with self._lock:
            return self._arrivals.get(payment_id)

    def _receive(self, headers: Any, body: bytes) -> int:
        """Return the HTTP status of the answer."""
        now = datetime.now(UTC)
        try:
            event = json.loads(body)
            payment_id, kind = str(event["data"]["payment_id"]), str(event["type"])
        except (ValueError, KeyError, TypeError):
            return 400
        arrival = Arrival(payment_id, kind, now, is_genuine(self._secret, headers, body, now))
        with self._lock:
            if len(self._arrivals) >= MAX_ARRIVALS:
                self._arrivals.clear()
            self._arrivals[payment_id] = arrival
        if self.on_arrival:
            self.on_arrival(arrival)
        return 204 if arrival.is_verified else 401

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receive = self._receive

        class Handler(BaseHTTPRequestHandler):
            """Answers POST and nothing else."""

            timeout = 10

            def do_POST(self) -> None:
                """Receive one webhook."""
                length = min(int(self.headers.get("content-length") or 0), MAX_BODY_BYTES)
                status = receive(self.headers, self.rfile.read(length))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Keep the terminal for the demo."""

        return Handler
