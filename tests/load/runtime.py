"""One execution environment of a function, under Lambda's own runtime interface."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.environment import BenchmarkError, Environment

HOST = "127.0.0.1"
DEADLINE_SECONDS = 60
_INVOKE = "/2015-03-31/functions/function/invocations"
_INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)")


@dataclass(frozen=True)
class Figures:
    """What the probe tells of its process; CPU is user and system time of all threads.

    `ready_ms` is from the process's start until its handler was imported and `import_ms` the
    handler's part of that; `spent_ms` is what all invocations took inside of the handler and
    `process_ms` what the process has used by now.
    """

    ready_ms: float
    import_ms: float
    spent_ms: float
    process_ms: float
    modules: int


class Execution:
    """A started execution environment; it imports its handler at the first invocation."""

    def __init__(self, port: int, log: Path) -> None:
        self._port = port
        self._log = log

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the function once; raises BenchmarkError when it fails."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=DEADLINE_SECONDS)
        try:
            connection.request("POST", _INVOKE, json.dumps(event))
            text = connection.getresponse().read()
        finally:
            connection.close()
        answer = json.loads(text)
        if not isinstance(answer, dict) or "errorMessage" in answer:
            raise BenchmarkError(f"the function failed: {text[:2000]!r}")
        return answer

    def figures(self) -> Figures:
        """What its process has used so far."""
        told = self.invoke({"probe": True})
        modules = told.pop("modules")
        return Figures(
            **{f"{name.removesuffix('_ns')}_ms": ns / 1e6 for name, ns in told.items()},
            modules=modules,
        )

    def init_ms(self) -> float:
        """The wall-clock time of the cold start, from the emulator's INIT REPORT."""
        found = _INIT.search(self._log.read_text(errors="replace"))
        if found is None:
            raise BenchmarkError(f"no INIT REPORT in {self._log}")
        return float(found[1])


@contextmanager
def running(
    environment: Environment, handler: str, variables: Mapping[str, str], log: Path
) -> Iterator[Execution]:
    """Start an execution environment for the handler, and stop it."""
    emulator, runtime_api = _free_ports(2)
    command = [
        str(environment.emulator),
        # Without the two addresses it would listen on every interface.
        *("--runtime-interface-emulator-address", f"{HOST}:{emulator}"),
        *("--runtime-api-address", f"{HOST}:{runtime_api}"),
        # -S: what this machine's Python loads from its own site-packages is not Lambda's.
        *(str(environment.interpreter), "-S", "-m", "awslambdaric", "probe.handler"),
    ]
    given = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(map(str, environment.path)),
        "PROBE_HANDLER": handler,
        **variables,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=given, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_listens(process, emulator)
            yield Execution(emulator, log)
        finally:
            # It ends the function with itself.
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise BenchmarkError("the runtime interface emulator does not listen")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
