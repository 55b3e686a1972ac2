"""A deadline cuts the connection that it watches, whenever it comes to know of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from riel.deadline import Deadline

PATIENCE_SECONDS = 60


class Stream:
    """What httpcore tells a trace of: a stream, and its socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def get_extra_info(self, _name: str) -> socket.socket:
        return self._connection


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        there.settimeout(PATIENCE_SECONDS)
        yield here, there


def connect(deadline: Deadline, connection: socket.socket) -> None:
    deadline.trace("connection.connect_tcp.complete", {"return_value": Stream(connection)})


def test_a_connection_is_cut_when_the_time_is_over(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    here, there = ends
    deadline = Deadline(0.1)
    with deadline.enforced():
        connect(deadline, here)
        assert there.recv(1) == b""
    assert deadline.is_over


def test_a_connection_that_is_made_after_the_time_is_over_is_cut_at_once(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    here, there = ends

    connect(Deadline(0), here)

    assert there.recv(1) == b""


def test_what_ended_in_time_is_left_alone(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    deadline = Deadline(PATIENCE_SECONDS)
    with deadline.enforced():
        connect(deadline, here)
    here.sendall(b"x")
    assert there.recv(1) == b"x"
