"""The whole local stage is watched, reachable from this machine alone, and stops cleanly."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from infra.local.errors import LocalStageError
from infra.local.platform import LocalPlatform, status

pytestmark = pytest.mark.engine


def _own_address() -> str:
    """Return an address of this machine other than loopback, or skip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses a way out
        except OSError:
            pytest.skip("this machine has loopback only")
        address: str = probe.getsockname()[0]
    return address


def test_a_part_that_ends_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    steps: list[str] = []
    with LocalPlatform(
        0,
        aws_port=0,
        simulator_port=0,
        state_folder=tmp_path,
        on_step=lambda name, _seconds: steps.append(name),
    ) as platform:
        state = platform.state
        assert status(tmp_path) == state
        assert {"deploy", "warm up"} <= set(steps)
        assert httpx.get(f"{state.api}/health").status_code == 200
        addresses = [urlsplit(url) for url in (state.api, state.aws_endpoint, state.simulator)]
        for url in addresses:
            assert url.port is not None
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((_own_address(), url.port), timeout=2).close()

        platform.wait(seconds=0.3)
        assert platform._simulator is not None
        os.kill(platform._simulator.pid, signal.SIGKILL)
        with pytest.raises(LocalStageError, match="The simulator has ended"):
            platform.wait(seconds=60)

    assert status(tmp_path) is None
    for url in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", url.port or 0), timeout=2).close()
