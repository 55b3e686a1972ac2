"""Receive Riel's webhooks: verify each one, drop repeats and stale ones, act on the rest.

    python docs/examples/receive_webhooks.py --port 4242

Then send a payment with `"webhook_url": "http://127.0.0.1:4242/"`. It needs the package
`standardwebhooks` and nothing else. The memory here is SQLite's, lost when the program ends, unless
`--database` names a file. A real shop keeps both tables in the database where its orders are, and
changes the order in the same transaction, so that a crash loses neither.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

DEMO_SECRET = "whsec_cmllbC1kZW1vLXdlYmhvb2stc2VjcmV0LTAwMDE="
"""The demo merchant's on the local stage. Yours was shown once, with your first API key."""
MAX_BODY_BYTES = 1_000_000
NEW, REPEATED, STALE = "new", "repeated", "stale"
_TABLES = """
create table if not exists webhooks (id text primary key);
create table if not exists latest (subject text primary key, sequence integer not null);
"""


class Memory:
    """Which webhooks have come, and the last sequence of each payment and refund."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(_TABLES)
        self._one_at_a_time = Lock()

    def judge(self, webhook_id: str, subject: str, sequence: int) -> str:
        """Say whether a webhook is new, and remember it, in one transaction."""
        # What the shop does about a new one belongs inside this block, too.
        with self._one_at_a_time, self._database as database:
            added = database.execute("insert or ignore into webhooks values (?)", (webhook_id,))
            if not added.rowcount:
                return REPEATED
            newest = database.execute(
                "insert into latest values (?, ?) on conflict (subject)"
                " do update set sequence = excluded.sequence where excluded.sequence > sequence",
                (subject, sequence),
            )
            return NEW if newest.rowcount else STALE


class Receiver(BaseHTTPRequestHandler):
    """Answers one webhook. What is not 2xx comes again, so a failure of ours loses nothing."""

    timeout = 10
    verifier: Webhook
    memory: Memory

    def do_POST(self) -> None:
        """Verify the bytes before anything is read in them; then judge, act, and answer at once."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self._answer(413, f"refused: content-length {length or 'is missing'}")
            return
        try:
            event = self.verifier.verify(self.rfile.read(int(length)), dict(self.headers.items()))
        except (WebhookVerificationError, ValueError) as error:
            self._answer(401, f"refused: {error}")
            return
        if not _is_known(event):
            # It is genuine, so refusing it would only have it sent again, for three days.
            self._answer(200, f"ignored: {str(_field(event, 'type'))[:60]!r}")
            return
        verdict = self.memory.judge(
            self.headers["webhook-id"], _subject(event), event["data"]["sequence"]
        )
        self._answer(200, f"{verdict}: {_told(event)}")

    def log_message(self, *_: Any) -> None:
        """Say nothing of the request; what was done with it is printed instead."""

    def _answer(self, status: int, words: str) -> None:
        print(words, flush=True)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


def _is_known(event: Any) -> bool:
    """Whether it is what this program acts on: types, and fields, may be added at any time."""
    kind, data = _field(event, "type"), _field(event, "data")
    return (
        isinstance(kind, str)
        and kind.startswith(("payment.", "refund."))
        and isinstance(_field(data, "payment_id"), str)
        and type(_field(data, "sequence")) is int
    )


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _subject(event: dict[str, Any]) -> str:
    """What is counted by `sequence`: the payment, or the refund, which counts its own."""
    data = event["data"]
    return str(data.get("refund_id") or data["payment_id"])


def _told(event: dict[str, Any]) -> str:
    data = event["data"]
    # Look before you deliver: money may be short, too much, or too late.
    look = f", attention: {data['attention']}" if data.get("attention") else ""
    amount = f"{data.get('amount')} {data.get('currency')}"
    return f"{event['type']} {_subject(event)} #{data['sequence']} {amount}{look}"


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Receive Riel's webhooks on this machine.")
    parser.add_argument("--port", type=int, default=4242, help="0 for any that is free")
    parser.add_argument(
        "--secret",
        default=os.environ.get("RIEL_WEBHOOK_SECRET", DEMO_SECRET),
        help="whsec_…; else RIEL_WEBHOOK_SECRET, else the demo merchant's",
    )
    parser.add_argument("--database", default=":memory:", help="a file of SQLite")
    options = parser.parse_args()
    Receiver.verifier, Receiver.memory = Webhook(options.secret), Memory(options.database)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", options.port), Receiver)
    except (OSError, OverflowError) as error:
        print(
            f"Port {options.port} can not be listened on: {error}. Try --port 0.", file=sys.stderr
        )
        return 1
    with server:
        print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
