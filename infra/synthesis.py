"""Synthesis for programs: the cloud assembly of a stage, made anew only when its sources changed.

Importing `aws_cdk` and starting Node.js takes seconds, so that happens in a process of its own, and
not at all while a hash over the sources is the one that the assembly was made from.
"""

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.stages import UnknownStageError, stage_named

ROOT = Path(__file__).resolve().parent.parent
ASSEMBLIES = ROOT / ".build" / "cdk"
_SOURCES = ("infra", "functions", "layers", "cdk.json")
# What operates the stages has no part in making their templates.
_NO_SOURCES = tuple(ROOT / "infra" / name for name in ("local", "cli", "simulation"))
_FINGERPRINT = "riel-fingerprint"
_NODE_VERSION = 20


class SynthesisError(RuntimeError):
    """The template can not be made; the message is for the person who asked for it."""


@dataclass(frozen=True)
class Asset:
    """A folder that goes to S3 as a zip; `bucket` has placeholders for account and region."""

    source: Path
    bucket: str
    key: str

    def bucket_in(self, account: str, region: str) -> str:
        """The bucket's name in an account and a region."""
        return self.bucket.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)

    def zipped(self) -> bytes:
        """The zip; the same folder always gives the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in self.source.rglob("*") if p.is_file()):
                entry = zipfile.ZipInfo(str(path.relative_to(self.source)))
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        return buffer.getvalue()


@dataclass(frozen=True)
class SynthesizedStack:
    """A stack's CloudFormation name, its template, and the assets that it needs in S3."""

    name: str
    template: Path
    assets: tuple[Asset, ...]


@dataclass(frozen=True)
class CloudAssembly:
    """What one synthesis made; `stacks` are in the order in which they have to be deployed."""

    folder: Path
    stacks: tuple[SynthesizedStack, ...]


def synthesize(stage_name: str) -> CloudAssembly:
    """The stage's cloud assembly; raises `SynthesisError` or `infra.stages.UnknownStageError`."""
    return synthesize_all(stage_name)[0]


def synthesize_all(*stage_names: str) -> list[CloudAssembly]:
    """The cloud assemblies of several stages; what is not current is made by one process."""
    for name in stage_names:
        stage_named(name)
    ASSEMBLIES.mkdir(parents=True, exist_ok=True)
    with (ASSEMBLIES / ".lock").open("w") as lock:
        # Whoever comes second finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        fingerprint = _fingerprint()
        outdated = [name for name in stage_names if not _is_current(name, fingerprint)]
        if outdated:
            _synthesize_anew(outdated, fingerprint)
    return [read_assembly(ASSEMBLIES / name) for name in stage_names]


def is_current(stage_name: str) -> bool:
    """Whether the stage's cloud assembly is there, and so `synthesize` takes no time."""
    return _is_current(stage_name, _fingerprint())


def read_assembly(folder: Path) -> CloudAssembly:
    """What a cloud assembly's manifest says about its stacks."""
    artifacts = _read(folder / "manifest.json")["artifacts"]
    stacks = {k: v for k, v in artifacts.items() if v["type"] == "aws:cloudformation:stack"}
    return CloudAssembly(
        folder, tuple(_stack(folder, name, stacks[name]) for name in _in_order(stacks))
    )


def _in_order(stacks: dict[str, Any]) -> list[str]:
    done: list[str] = []

    def visit(name: str) -> None:
        for needed in stacks[name].get("dependencies", ()):
            if needed in stacks and needed not in done:
                visit(needed)
        if name not in done:
            done.append(name)

    for name in stacks:
        visit(name)
    return done


def _stack(folder: Path, name: str, artifact: dict[str, Any]) -> SynthesizedStack:
    properties = artifact["properties"]
    template = folder / properties["templateFile"]
    return SynthesizedStack(
        name=properties.get("stackName", name),
        template=template,
        assets=tuple(_assets(folder, name, template)),
    )


def _assets(folder: Path, name: str, template: Path) -> Iterator[Asset]:
    for file in _read(folder / f"{name}.assets.json")["files"].values():
        source = folder / file["source"]["path"]
        # The template itself is listed as well, for deployments that pass it by S3.
        if source != template:
            for destination in file["destinations"].values():
                yield Asset(source, destination["bucketName"], destination["objectKey"])


def _is_current(stage_name: str, fingerprint: str) -> bool:
    written = ASSEMBLIES / stage_name / _FINGERPRINT
    return written.is_file() and written.read_text() == fingerprint


def _fingerprint() -> str:
    """Of every file that the template or an asset is made from, and of the CDK's version."""
    digest = hashlib.sha256()
    for package in ("aws-cdk-lib", "cdk-nag"):
        digest.update(f"{package} {version(package)}\n".encode())
    for path in sorted(_source_files()):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        source = ROOT / name
        files = source.rglob("*") if source.is_dir() else (source,)
        for path in files:
            if path.is_file() and path.suffix != ".pyc" and not _is_operation(path):
                yield path


def _is_operation(path: Path) -> bool:
    return any(folder in path.parents for folder in _NO_SOURCES)


def _synthesize_anew(stage_names: list[str], fingerprint: str) -> None:
    _require_node()
    partial = ASSEMBLIES / "partial"
    try:
        _run_app(stage_names, partial)
        for name in stage_names:
            (partial / name / _FINGERPRINT).write_text(fingerprint)
            shutil.rmtree(ASSEMBLIES / name, ignore_errors=True)
            (partial / name).rename(ASSEMBLIES / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run_app(stage_names: list[str], output: Path) -> None:
    command = [sys.executable, "-m", "infra.app", *stage_names, "--output", str(output)]
    # Without the variables by which the CDK command line speaks to the app that it runs.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CDK_")}
    result = subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if result.returncode:
        stages = ", ".join(stage_names)
        raise SynthesisError(f"the CDK app failed for {stages}:\n{result.stderr.strip()}")
    # Warnings, such as missing byte code, are for whoever waits for the synthesis.
    sys.stderr.write(result.stderr)


def _require_node() -> None:
    """The CDK's library is JavaScript under its Python; its own message would be a traceback."""
    advice = f"install Node.js {_NODE_VERSION} or newer (https://nodejs.org) and try again"
    node = shutil.which("node")
    if node is None:
        raise SynthesisError(f"Node.js is missing, which the CDK needs: {advice}")
    answer = subprocess.run(
        [node, "--version"], check=False, capture_output=True, text=True
    ).stdout.strip()
    major = answer.removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < _NODE_VERSION:
        raise SynthesisError(f"Node.js {answer or 'of an unknown version'} is too old: {advice}")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    try:
        for assembly in synthesize_all(*sys.argv[1:]):
            sys.stdout.write(f"{assembly.folder.relative_to(ROOT)}\n")
    except (SynthesisError, UnknownStageError) as problem:
        sys.exit(f"error: {problem}")
