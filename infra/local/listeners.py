"""Loopback listeners: every port of the local stage is bound here, and never elsewhere.

The parent process binds and hands the socket to the child that serves it. So a taken port is
known at once, there is no gap in which another program could take it, and a client that connects
early waits instead of being refused.
"""

from __future__ import annotations

import errno
import socket

from infra.local.errors import LocalStageError
from infra.names import command

IPV4_LOOPBACK = "127.0.0.1"
IPV6_LOOPBACK = "::1"
_BACKLOG = 2048


def product_listeners(port: int) -> list[socket.socket]:
    """Listen for the product on 127.0.0.1 and, where the machine has it, on ::1.

    `localhost` may resolve to either. Port 0 takes a free one. Raises LocalStageError when the
    port is taken.
    """
    first = _listen(socket.AF_INET, IPV4_LOOPBACK, port)
    if first is None:
        raise _taken(port)
    try:
        second = _listen(socket.AF_INET6, IPV6_LOOPBACK, port_of(first))
    except OSError:
        return [first]
    if second is None:
        # Another program answers on ::1, so half of the clients of `localhost` would reach it.
        first.close()
        raise _taken(port)
    return [first, second]


def internal_listener(preferred_port: int) -> socket.socket:
    """Listen on 127.0.0.1 at the preferred port, or at any free one when that is taken."""
    for port in (preferred_port, 0):
        listener = _listen(socket.AF_INET, IPV4_LOOPBACK, port)
        if listener is not None:
            return listener
    raise LocalStageError("No free port on 127.0.0.1.", "Close some programs and try again.")


def port_of(listener: socket.socket) -> int:
    """Return the port that a listener is bound to."""
    port: int = listener.getsockname()[1]
    return port


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    """Bind and listen; None when the port is taken. Raises OSError for an absent address."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        if error.errno == errno.EACCES:
            raise LocalStageError(
                f"Port {port} needs administrator rights.", "Choose one above 1023: PORT=9000."
            ) from error
        raise
    return listener


def _taken(port: int) -> LocalStageError:
    return LocalStageError(
        f"Port {port} is taken by another program.",
        f"Stop that program, or choose another port: PORT={port + 1 if port < 65535 else 9000}"
        f" make run (or {command()} up --port).",
    )
