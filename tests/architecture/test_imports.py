"""Who may import whom: the arrows of the design, checked over the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers/core/python"
STDLIB_ONLY = "the standard library"

# Package -> the packages of ours that it may import. Longest prefix wins.
ALLOWED: dict[str, tuple[str, ...]] = {
    "riel.errors": (),
    "riel.clock": (),
    "riel.deadline": ("riel.threads",),
    "riel.threads": (),
    "riel.ids": (),
    "riel.config": ("riel.errors",),
    "riel.observability": (),
    "riel.problems": ("riel.errors",),
    "riel.domain": ("riel.domain", "riel.errors"),
    "riel.store": (
        "riel.store", "riel.domain", "riel.errors", "riel.ids", "riel.clock", "riel.threads",
    ),
    "riel.gateways": ("riel.gateways", "riel.domain", "riel.errors", "riel.deadline"),
    "riel.webhooks": (
        "riel.webhooks", "riel.domain", "riel.errors", "riel.deadline", "riel.threads",
        "riel.__version__",
    ),
    "riel.services": (
        "riel.services", "riel.domain", "riel.store", "riel.gateways", "riel.webhooks",
        "riel.errors", "riel.ids", "riel.observability", "riel.app", "riel.deadline",
        "riel.threads", "riel.__version__",
    ),
    "riel.app": ("riel",),
    # The simulator is another company's server: it shares words with us, not our services.
    "functions.simulator": (
        "functions.simulator", "riel.config", "riel.clock", "riel.domain.instants",
        "riel.store.items",
    ),
    "infra.stacks": ("infra",),
    "infra.components": ("infra",),
    "infra.local": ("infra", "riel", "functions.simulator"),
    "infra.cli": ("infra", "riel"),
    "infra.simulation": ("infra", "riel", "functions"),
    "infra": ("infra",),
}  # fmt: skip
FUNCTION_MAY_IMPORT = (
    "riel.app", "riel.services", "riel.errors", "riel.observability", "riel.domain",
    "riel.problems", "riel.webhooks.egress", "riel.webhooks.sending",
)  # fmt: skip

# Third-party package, or what makes threads -> who may import it.
CONFINED: dict[str, tuple[str, ...]] = {
    "boto3": ("riel.app", "functions.simulator", "infra.local", "infra.cli", "infra.simulation"),
    "botocore": ("riel.app", "riel.store", "riel.gateways.aws_auth", "functions.simulator",
                 "infra.local", "infra.cli", "infra.simulation"),
    "httpx": ("riel.gateways", "functions.simulator", "infra.local", "infra.cli",
              "infra.simulation"),
    "h11": ("riel.webhooks",),
    "pydantic": ("functions",),
    "aws_cdk": ("infra",),
    "ministack": ("infra.local",),
    "threading": ("riel.threads", "functions.simulator", "infra"),
    "concurrent": ("riel.threads", "functions.simulator", "infra"),
    "asyncio": ("infra",),
}  # fmt: skip


def modules() -> Iterator[tuple[str, Path]]:
    for base, folder in ((CORE, CORE / "riel"), (ROOT, ROOT / "functions"), (ROOT, ROOT / "infra")):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of what is imported at run time (not under TYPE_CHECKING)."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def allowed_for(module: str) -> tuple[str, ...] | None:
    rules = [package for package in ALLOWED if within(module, (package,))]
    if rules:
        return ALLOWED[max(rules, key=len)]
    if module.startswith("functions."):
        return (*FUNCTION_MAY_IMPORT, ".".join(module.split(".")[:2]))
    return None


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: str(value)[-60:])
def test_a_module_imports_only_what_its_place_allows(module: str, path: Path) -> None:
    allowed = allowed_for(module)
    for line, name in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        if allowed is not None and name.split(".")[0] in ("riel", "functions", "infra"):
            assert within(name, allowed), where
        for package, owners in CONFINED.items():
            if within(name, (package,)):
                assert within(module, owners), where


@pytest.mark.parametrize(
    ("forbidden", "owners"),
    [
        ("os.environ", ("riel.config", "infra", "functions.none")),
        ("os.getenv", ("infra",)),
        ("datetime.now", ("riel.clock", "infra")),
        ("datetime.utcnow", ()),
        ("time.time()", ("infra",)),
        # Asked for at the call, so that a simulation can replace waiting at one place.
        ("= time.sleep", ("infra",)),
        ("from time import", ("infra",)),
    ],
)
def test_what_one_file_alone_may_read(forbidden: str, owners: tuple[str, ...]) -> None:
    for module, path in modules():
        if not within(module, owners):
            assert forbidden not in path.read_text(), f"{path.relative_to(ROOT)}: {forbidden}"


def test_threads_are_reached_through_their_module() -> None:
    for _, path in modules():
        for line, name in imports(path):
            # A name of one's own would not be replaced with the module's.
            assert not name.startswith("riel.threads."), f"{path.relative_to(ROOT)}:{line} {name}"


def test_the_domain_needs_the_standard_library_alone() -> None:
    ours = ("riel",)
    for module, path in modules():
        if module.startswith("riel.domain"):
            for line, name in imports(path):
                top = name.split(".")[0]
                assert within(name, ours) or top in sys.stdlib_module_names, f"{path}:{line} {name}"


def test_handlers_are_thin() -> None:
    for path in (ROOT / "functions").glob("*/handler.py"):
        lines = len(path.read_text().splitlines())
        assert lines < 80, f"{path}: {lines} lines"


def test_no_file_is_long() -> None:
    for _, path in modules():
        assert len(path.read_text().splitlines()) <= 400, path
