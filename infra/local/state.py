"""What a running local stage tells the other commands: `.riel/local.json` and a lock beside it.

The lock is held by the running process and freed by the operating system however it ends, so a
stale file or a reused process id is never taken for a running stage.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Final

from infra.local.errors import LocalStageError
from infra.local.processes import PROJECT_FOLDER
from infra.names import command

STATE_FOLDER: Final = PROJECT_FOLDER / ".riel"
_STATE_FILE: Final = "local.json"
_LOCK_FILE: Final = "local.lock"


@dataclass(frozen=True)
class LocalState:
    """Where everything of a running local stage is. Names map short names to AWS's."""

    pid: int
    api: str
    simulator: str
    aws_endpoint: str
    region: str
    api_id: str
    functions: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)


class StageLock:
    """The right to run the one local stage of a state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock; raises LocalStageError when a stage runs already."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / _LOCK_FILE).open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip()
            file.close()
            raise LocalStageError(
                f"The local stage runs already (process {pid}).",
                f"Use it, or stop it with: {command()} down",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def write_state(folder: Path, state: LocalState) -> None:
    """Write the state so that a reader sees all of it or none."""
    temporary = folder / f"{_STATE_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(state), indent=2) + "\n")
    temporary.replace(folder / _STATE_FILE)


def remove_state(folder: Path) -> None:
    """Forget the state of a stage that has stopped."""
    (folder / _STATE_FILE).unlink(missing_ok=True)


def read_state(folder: Path = STATE_FOLDER) -> LocalState | None:
    """Return the state of the running stage, or None when none runs or it is still starting."""
    if running_pid(folder) is None:
        return None
    try:
        fields = json.loads((folder / _STATE_FILE).read_text())
        return LocalState(**fields)
    except (OSError, ValueError, TypeError):
        return None


def running_pid(folder: Path = STATE_FOLDER) -> int | None:
    """Return the process that holds the lock, or None when no stage runs."""
    try:
        with (folder / _LOCK_FILE).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0) or None
    except (OSError, ValueError):
        pass
    return None
