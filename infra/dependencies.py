"""The dependencies layer: third-party packages for Lambda's Python on arm64, from a hashed lock.

uv installs the wheels of the target platform, so neither Docker nor an arm64 machine is needed. The
result is cached below `.build/` under a hash of everything that it is made from.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.bytecode import VERSION, compile_tree

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "layers" / "dependencies" / "requirements.txt"
PLATFORM = "aarch64-manylinux2014"

AWS_SERVICES = ("dynamodb", "kms", "secretsmanager", "sqs", "sts")
"""The services whose API descriptions ship with botocore; it carries more than 400."""

# Console scripts name the building machine's Python; the rest is no use in a function.
_UNUSED = ("bin", "boto3/data", "boto3/examples")


class LayerError(RuntimeError):
    """The layer can not be built; the message says why and what to do."""


def build_dependencies_layer(interpreter: Path | None) -> Path:
    """The layer's folder, built unless it is there; byte-compiled where `interpreter` is given."""
    folder = ROOT / ".build" / "dependencies" / _fingerprint(interpreter)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            install(partial, interpreter)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def install(folder: Path, interpreter: Path | None, platform: str = PLATFORM) -> None:
    """Build the layer in a new folder: install, remove what is unused, compile.

    A test names its own machine's `platform`, to run what is shipped.
    """
    packages = folder / "python"
    _install_wheels(packages, platform)
    _trim(packages)
    if interpreter:
        compile_tree(interpreter, packages)


def _fingerprint(interpreter: Path | None) -> str:
    """Of the lock, of this recipe, and of whether byte code is made."""
    digest = hashlib.sha256()
    for part in (LOCK, Path(__file__), Path(__file__).with_name("bytecode.py")):
        digest.update(part.read_bytes())
    digest.update(b"compiled" if interpreter else b"sources")
    return digest.hexdigest()[:16]


def _install_wheels(target: Path, platform: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise LayerError(f"uv is not beside {sys.executable}: install it into this environment")
    command = [
        *(str(uv), "pip", "install", "--quiet", "--target", str(target)),
        *("--python-platform", platform, "--python-version", VERSION),
        *("--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"),
        *("--requirement", str(LOCK)),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise LayerError(f"uv could not install the dependencies layer:\n{result.stderr.strip()}")


def _trim(packages: Path) -> None:
    for name in _UNUSED:
        shutil.rmtree(packages / name, ignore_errors=True)
    for entry in (packages / "botocore" / "data").iterdir():
        if entry.is_dir() and entry.name not in AWS_SERVICES:
            shutil.rmtree(entry)
    # The installer's own notes hold dates and paths of this machine, and nothing reads them.
    for pattern in ("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED"):
        for note in packages.glob(pattern):
            note.unlink()
    (packages / ".lock").unlink(missing_ok=True)
