"""Child processes that can not outlive this one.

A child reads its standard input, whose other end only the parent holds. However the parent
ends, even by SIGKILL, the child reads the end of the file and stops. Each child leads a process
group of its own, so that what it started (Lambda workers) is stopped with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
_SOURCE_FOLDERS = (PROJECT_FOLDER, PROJECT_FOLDER / "layers" / "core" / "python")
_TERMINATE_SECONDS = 6.0
# The sources are put on the path by the program text, not by PYTHONPATH: the Lambda workers
# inherit the environment and must find the product in their own zip and layer.
_PROGRAM = (
    "import runpy, sys; sys.path[:1] = sys.argv[1].split('\\n'); name = sys.argv[2]; "
    "sys.argv[:3] = [name]; runpy.run_module(name, run_name='__main__')"
)


class ChildProcess:
    """A running part of the local stage, in its own process group."""

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], lifeline: IO[bytes], log_file: Path
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._popen = popen
        self._lifeline = lifeline

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self._popen.pid

    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self._popen.poll() is None

    def tell(self, line: str) -> None:
        """Send one line to the child; it is lost when the child has ended."""
        with contextlib.suppress(OSError, ValueError):
            self._lifeline.write(line.encode() + b"\n")
            self._lifeline.flush()

    def stop(self) -> None:
        """Stop the child and all that it started: first politely, then by force."""
        if self.is_alive():
            self._popen.terminate()
        with contextlib.suppress(OSError):
            self._lifeline.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=_TERMINATE_SECONDS)
        kill_group(self.pid)
        self._popen.wait()

    def last_words(self) -> str:
        """Return the last line of its log, which usually says why it ended."""
        with contextlib.suppress(OSError):
            lines = self.log_file.read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""


def start_child(
    name: str,
    module: str,
    *,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    listeners: Sequence[socket.socket],
    log_file: Path,
) -> ChildProcess:
    """Run a module of this project as a child that serves the given listeners."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    descriptors = [listener.fileno() for listener in listeners]
    sources = "\n".join(str(folder) for folder in _SOURCE_FOLDERS)
    # Only the child may keep the reading end, or it would never read the end of the file.
    reading_end, writing_end = os.pipe()
    with log_file.open("wb") as log, os.fdopen(reading_end, "rb") as child_input:
        popen = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, sources, module, *arguments],
            stdin=child_input,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            pass_fds=descriptors,
            start_new_session=True,
        )
    return ChildProcess(name, popen, os.fdopen(writing_end, "wb"), log_file)


def clean_environment(temporary_folder: Path, **extra: str) -> dict[str, str]:
    """Return an environment without anything of the user's: no AWS_*, no secrets, no home.

    The home is the temporary folder, so that no AWS profile or credential file is found there.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(temporary_folder),
        "TMPDIR": str(temporary_folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **extra,
    }


def inherited_listeners(descriptors: str) -> list[socket.socket]:
    """Return the listeners that the parent passed, from their comma-separated numbers."""
    return [socket.socket(fileno=int(number)) for number in descriptors.split(",")]


def descriptor_list(listeners: Sequence[socket.socket]) -> str:
    """Return the comma-separated numbers that `inherited_listeners` reads."""
    return ",".join(str(listener.fileno()) for listener in listeners)


def watch_parent(on_line: Callable[[str], None], on_end: Callable[[], None]) -> None:
    """In a child: hear the parent's lines in a thread, and learn of its end."""

    def read(pipe: IO[bytes]) -> None:
        for line in pipe:
            on_line(line.decode().strip())
        on_end()

    threading.Thread(
        target=read, args=(sys.stdin.buffer,), name="parent-watch", daemon=True
    ).start()


def kill_group(group: int) -> None:
    """Kill every process of a group; nothing happens when none is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def end_with_group() -> NoReturn:
    """In a child: end this process and every process that it started, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise SystemExit(1)  # pragma: no cover - the line above does not return
