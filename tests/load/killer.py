"""Ends workers of a running stage as a machine that fails would: with SIGKILL."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading

from infra.local.platform import LocalPlatform

KILL_EVERY_SECONDS = (1.0, 3.0)
MAX_KILLS = 40


class Killer:
    """Ends workers of one function with SIGKILL, at random moments, until it is told to stop."""

    def __init__(self, platform: LocalPlatform, function: str, seed: int) -> None:
        self.kills = 0
        self._name = f"ministack-lambda-{platform.state.functions[function]}-"
        self._folder = str(platform.worker_folder)
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def is_done(self) -> bool:
        """Whether as many have been killed as may be."""
        return self.kills >= MAX_KILLS

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.is_done:
            if self._stopping.wait(self._random.uniform(*KILL_EVERY_SECONDS)):
                return
            if workers := self._workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._random.choice(workers), signal.SIGKILL)
                    self.kills += 1

    def _workers(self) -> list[int]:
        listed = subprocess.run(
            ["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True
        )
        lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
        return [int(pid) for pid, args in lines if self._name in args and self._folder in args]
