"""A TLS server on loopback that stands for DynamoDB, in a process of its own.

It keeps what is put, refuses a put that must be the first of its key, adds and sets where it is
told to, and knows nothing else. `GET /calls` tells how often each operation was called since the
last time, `GET /last` the last transaction. For the secret of a seeded merchant, which nobody
opens, it stands for KMS too. Run as a script: it writes its certificate to the file that it is
given, prints its port, and ends when its input does.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import sys
import tempfile
import threading
import uuid
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
Item = dict[str, Any]


class Tables:
    """Items by table and key; one lock, because this process is not measured."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.last: list[dict[str, Any]] = []
        self._items: dict[tuple[str, ...], Item] = {}
        self._lock = threading.Lock()

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one call: an HTTP status and a body."""
        with self._lock:
            self.calls[operation] += 1
            if operation == "Encrypt":
                return 200, {"CiphertextBlob": request["Plaintext"]}
            if operation == "GetItem":
                item = self._items.get(_key(request["TableName"], request["Key"]))
                return 200, {"Item": item} if item else {}
            if operation == "TransactWriteItems":
                return self._transact(request["TransactItems"])
            if operation == "UpdateItem":
                return 200, {"Attributes": self._update(request)}
            return 400, {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException"}

    def _transact(self, actions: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        puts = [action["Put"] for action in actions if "Put" in action]
        keyed = [(_key(put["TableName"], put["Item"]), put) for put in puts]
        taken = [self._items.get(key) if _is_first(put) else None for key, put in keyed]
        if any(taken):
            reasons = [
                {"Code": "ConditionalCheckFailed", "Item": item} if item else {"Code": "None"}
                for item in taken
            ]
            fault = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
            return 400, {"__type": fault, "CancellationReasons": reasons}
        self._items |= {key: put["Item"] for key, put in keyed}
        self.last = actions
        return 200, {}

    def _update(self, request: dict[str, Any]) -> Item:
        """Set what `SET a = :b, c = c + :d` says; with one client its condition always holds."""
        item = self._items.setdefault(_key(request["TableName"], request["Key"]), {})
        known = item | request["ExpressionAttributeValues"]
        changed: Item = {}
        for assignment in request["UpdateExpression"].removeprefix("SET ").split(", "):
            name, _, expression = assignment.partition(" = ")
            first, *rest = (known[term] for term in expression.split(" + "))
            summed = sum(int(term["N"]) for term in (first, *rest)) if rest else None
            changed[name] = first if summed is None else {"N": str(summed)}
        item |= changed
        return changed


def _key(table: str, item: Item) -> tuple[str, ...]:
    return table, item["pk"]["S"], item.get("sk", {}).get("S", "")


def _is_first(put: dict[str, Any]) -> bool:
    return "attribute_not_exists" in put.get("ConditionExpression", "")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    tables: Tables

    def do_POST(self) -> None:
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(*self.tables.answer(operation, body))

    def do_GET(self) -> None:
        if self.path == "/last":
            self._send(200, {"actions": self.tables.last})
            return
        self._send(200, dict(self.tables.calls))
        self.tables.calls.clear()

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", uuid.uuid4().hex)
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line for each call would only cost."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that are killed leave connections half open."""


def _certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for loopback and its key, both in PEM, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the benchmark's database")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address(HOST))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret


def main() -> None:
    """Serve until the parent closes our input, which it does when it ends in any way."""
    certificate, secret = _certificate()
    Path(sys.argv[1]).write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + secret)
        file.flush()
        context.load_cert_chain(file.name)
    handler = type("Handler", (_Handler,), {"tables": Tables()})
    server = _Server((HOST, 0), handler)
    # The handshake is done by the connection's own thread, at its first read.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
