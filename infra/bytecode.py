"""Byte code for the Lambda runtime, made on the building machine.

A cold start spends more than half of its time compiling sources where it finds no byte code. Zips
date their files 1980, so ordinary ``.pyc`` files, which carry the source's date, are refused;
*unchecked-hash* ones are taken as they are. Only the runtime's own minor version can write them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

VERSION = "3.13"

NOT_FOUND = (
    f"warning: python{VERSION} is not on this machine, so the bundles ship sources without byte "
    "code and cold starts take about twice as long"
)


def find_interpreter() -> Path | None:
    """A Python of the runtime's version, or None: on PATH, from uv, or from pyenv."""
    for candidate in _candidates():
        # A pyenv shim is on PATH even for a version that is not selected, and then fails.
        if _version_of(candidate) == VERSION:
            return candidate
    return None


def compile_tree(interpreter: Path, folder: Path) -> None:
    """Compile every module below `folder`; the same sources give the same bytes."""
    subprocess.run(
        [
            str(interpreter),
            *("-I", "-m", "compileall", "-q", "-f", "-j", "1"),
            *("--invalidation-mode", "unchecked-hash"),
            # Paths in tracebacks are relative, so no building machine's folder ships.
            *("-s", str(folder)),
            str(folder),
        ],
        check=True,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
    )


def _candidates() -> Iterator[Path]:
    on_path = which(f"python{VERSION}")
    if on_path:
        yield Path(on_path)
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        found = subprocess.run(
            [str(uv), "python", "find", "--no-project", "--no-python-downloads", VERSION],
            check=False,
            capture_output=True,
            text=True,
        )
        if found.returncode == 0:
            yield Path(found.stdout.strip())
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{VERSION}*/bin/python{VERSION}"), reverse=True)


def _version_of(interpreter: Path) -> str | None:
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", question],
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
