"""A small DNS server on loopback, over real UDP, and a resolver that asks it."""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Thread

_A, _AAAA = 1, 28
_NO_SUCH_NAME = 3
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!3HIH")  # the name as a pointer, kind, class, seconds, size
PATIENCE_SECONDS = 60


class NameServer:
    """Answers with what `zone` holds for a name: one set of addresses per look-up, then the last.

    Each answer may be kept for no time at all, as those of who wants to rebind a name are.
    """

    def __init__(self) -> None:
        self.zone: dict[str, list[list[str]]] = {}
        self.lookups: defaultdict[str, int] = defaultdict(int)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._current: dict[str, list[str]] = {}

    def resolve(self, host: str, _port: int) -> list[str]:
        """Ask for both families, as a system's resolver does."""
        return [address for kind in (_A, _AAAA) for address in self._ask(host, kind)]

    def serve(self) -> None:
        """Answer until `close`."""
        while True:
            question, client = self._socket.recvfrom(512)
            if not question:
                self._socket.close()
                return
            self._socket.sendto(self._answer(question), client)

    def close(self) -> None:
        """End `serve`, and give the port back."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())

    def _answer(self, message: bytes) -> bytes:
        name, end = _read_name(message)
        (kind,) = struct.unpack_from("!H", message, end)
        if kind == _A:
            self.lookups[name] += 1
            left = self.zone.get(name, [])
            self._current[name] = left.pop(0) if len(left) > 1 else (left or [[]])[0]
        packed = [ip_address(text).packed for text in self._current.get(name, [])]
        found = [data for data in packed if (len(data) == 4) == (kind == _A)]
        (number,) = struct.unpack_from("!H", message)
        flags = 0x8180 | (0 if name in self.zone else _NO_SUCH_NAME)
        records = (_RECORD.pack(0xC00C, kind, 1, 0, len(data)) + data for data in found)
        head = _HEADER.pack(number, flags, 1, len(found), 0, 0)
        return head + message[12 : end + 4] + b"".join(records)

    def _ask(self, host: str, kind: int) -> list[str]:
        labels = b"".join(bytes([len(part)]) + part.encode() for part in host.split("."))
        question = labels + b"\0" + struct.pack("!2H", kind, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_SECONDS)
            client.sendto(
                _HEADER.pack(7, 0x0100, 1, 0, 0, 0) + question, self._socket.getsockname()
            )
            answer = client.recv(4096)
        _, flags, _, count, _, _ = _HEADER.unpack_from(answer)
        if flags & 0xF:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        size = 4 if kind == _A else 16
        places = (12 + len(question) + at * (12 + size) + 12 for at in range(count))
        return [str(ip_address(answer[place : place + size])) for place in places]


@contextmanager
def running_name_server() -> Iterator[NameServer]:
    """Serve until the block ends."""
    server = NameServer()
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def _read_name(message: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while size := message[place]:
        labels.append(message[place + 1 : place + 1 + size].decode())
        place += 1 + size
    return ".".join(labels), place + 1
