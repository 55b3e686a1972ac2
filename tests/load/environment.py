"""What the benchmark runs on: the shipped bundles, and Lambda's runtime interface beside them.

The function, the core layer and the dependencies layer are made by the recipes that make what is
deployed, trimmed and byte-compiled alike, for this machine's processor instead of arm64. What was
downloaded is kept below `.build/benchmark`; the code is copied and compiled anew for every run.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra import dependencies
from infra.bundles import build_bundles
from infra.bytecode import NOT_FOUND, VERSION, compile_tree, find_interpreter
from infra.stages import DEV

LOAD = Path(__file__).resolve().parent
LOCK = LOAD / "requirements.txt"
BUILD = dependencies.ROOT / ".build" / "benchmark"
# Processor -> the platform of its wheels, and the emulator's name in aws-sam-cli.
_MACHINES = {
    "x86_64": ("x86_64-manylinux2014", "x86_64"),
    "aarch64": (dependencies.PLATFORM, "arm64"),
}


class BenchmarkError(RuntimeError):
    """The benchmark can not run here, or what it measures does not work; says why."""


@dataclass(frozen=True)
class Environment:
    """Where everything lies.

    `path` is what Lambda has on Python's path, in its order: the function, the layers, and the
    runtime's own packages; the benchmark's handlers are in front of them.
    """

    interpreter: Path
    emulator: Path
    path: tuple[Path, ...]
    runtime: Path


def prepare(folder: Path) -> Environment:
    """Make the bundles below `folder`, and whatever else is missing."""
    interpreter = find_interpreter()
    if interpreter is None:
        raise BenchmarkError(NOT_FOUND)
    machine = _MACHINES.get(platform.machine())
    if machine is None or platform.system() != "Linux":
        raise BenchmarkError("the runtime interface emulator runs on Linux, x86_64 or aarch64")
    wheels, processor = machine
    bundles = build_bundles(DEV, folder / "code")
    packages, runtime = _packages(interpreter, wheels), _runtime(interpreter)
    return Environment(
        interpreter,
        runtime / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{processor}",
        (
            _handlers(interpreter, folder / "handlers"),
            bundles.functions["api"],
            bundles.core_layer / "python",
            packages / "python",
            runtime,
        ),
        runtime,
    )


def _handlers(interpreter: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in ("probe.py", "bare.py"):
        shutil.copy(LOAD / name, folder)
    compile_tree(interpreter, folder)
    return folder


def _packages(interpreter: Path, wheels: str) -> Path:
    """The dependencies layer, for this machine."""
    recipe = (dependencies.LOCK, Path(dependencies.__file__))
    return _kept(
        "packages", recipe, lambda folder: dependencies.install(folder, interpreter, wheels)
    )


def _runtime(interpreter: Path) -> Path:
    """The runtime interface client, its emulator, and what the server of `database.py` needs."""

    def install(folder: Path) -> None:
        command = [
            *(str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"),
            *("--target", str(folder), "--python", str(interpreter), "--python-version", VERSION),
            *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"),
            *("--requirement", str(LOCK)),
        ]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            raise BenchmarkError(f"uv could not install {LOCK}:\n{result.stderr.strip()}")
        compile_tree(interpreter, folder)

    return _kept("runtime", (LOCK, Path(__file__)), install)


def _kept(name: str, recipe: tuple[Path, ...], make: Callable[[Path], None]) -> Path:
    """A folder that is made once for each content of the files that tell how."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in recipe)).hexdigest()[:16]
    folder = BUILD / f"{name}-{digest}"
    if not folder.is_dir():
        BUILD.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            make(partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder
