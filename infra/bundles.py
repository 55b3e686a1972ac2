"""What goes to Lambda: a folder for each function and for each layer, ready to be zipped.

Functions and the core layer are copies of the sources without tests and caches; on the AWS stages
they carry byte code. No Docker: everything is made by this machine's own Python and uv.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.bytecode import NOT_FOUND, compile_tree, find_interpreter
from infra.dependencies import build_dependencies_layer
from infra.names import package
from infra.stages import Stage

ROOT = Path(__file__).resolve().parent.parent
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "tests", ".*")


class MissingSourceError(FileNotFoundError):
    """A function that the stage deploys has no handler."""


@dataclass(frozen=True)
class Bundles:
    """Folders by the short name of their function, and those of the layers."""

    functions: Mapping[str, Path]
    core_layer: Path
    dependencies_layer: Path | None


def build_bundles(stage: Stage, folder: Path) -> Bundles:
    """Make the stage's bundles below `folder`, which must not exist yet."""
    functions = {name: folder / "functions" / name for name in stage.functions}
    for name, target in functions.items():
        _copy_function(package(name), target)
    core_layer = folder / "layers" / "core"
    shutil.copytree(ROOT / "layers" / "core", core_layer, ignore=_NOT_SHIPPED)
    interpreter = find_interpreter() if stage.byte_code else None
    if interpreter:
        compile_tree(interpreter, folder)
    elif stage.byte_code:
        sys.stderr.write(f"{NOT_FOUND}\n")
    dependencies = build_dependencies_layer(interpreter) if stage.dependencies_layer else None
    return Bundles(functions, core_layer, dependencies)


def _copy_function(name: str, target: Path) -> None:
    sources = ROOT / "functions"
    if not (sources / name / "handler.py").is_file():
        raise MissingSourceError(f"functions/{name}/handler.py does not exist")
    shutil.copytree(sources / name, target / "functions" / name, ignore=_NOT_SHIPPED)
    shutil.copy(sources / "__init__.py", target / "functions" / "__init__.py")
