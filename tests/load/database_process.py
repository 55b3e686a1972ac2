"""The process of `database.py`, from outside: started, asked for its counts, stopped."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.load.environment import BenchmarkError, Environment
from tests.load.runtime import DEADLINE_SECONDS, HOST


class Database:
    """The server of `database.py`, from outside."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.url = f"https://{HOST}:{port}"
        self.certificate = certificate

    def calls(self) -> dict[str, int]:
        """Count the calls by operation since this was asked last."""
        return self._get("/calls")

    def last_transaction(self) -> list[dict[str, Any]]:
        """The actions of the last transaction."""
        actions: list[dict[str, Any]] = self._get("/last")["actions"]
        return actions

    def _get(self, path: str) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(
            self.url + path, timeout=DEADLINE_SECONDS, context=context
        ) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


@contextmanager
def running_database(environment: Environment, folder: Path) -> Iterator[Database]:
    """Start an empty database, and stop it."""
    certificate = folder / "database.pem"
    process = subprocess.Popen(
        [
            str(environment.interpreter),
            str(Path(__file__).with_name("database.py")),
            str(certificate),
        ],
        env={"PYTHONPATH": str(environment.runtime)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise BenchmarkError("the database did not start")
        database = Database(int(port), certificate)
        yield database
    finally:
        process.stdin.close()
        process.wait(DEADLINE_SECONDS)
