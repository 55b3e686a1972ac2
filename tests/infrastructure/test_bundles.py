"""What goes to Lambda holds the right files, and byte code that its runtime will not refuse."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from infra import bytecode, dependencies
from infra.names import FUNCTIONS, package
from infra.stages import Stage
from infra.synthesis import Asset, CloudAssembly

# Run by the runtime's own version, whose magic number goes into the hash. PEP 552: a first bit of
# flags says that the source's hash stands in the header, a second one that it is to be compared.
VERIFY = """
import sys
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
sources = list(Path(sys.argv[1]).rglob("*.py"))
for source in sources:
    compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
    expected = MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source_hash(source.read_bytes())
    assert compiled.read_bytes()[:16] == expected, compiled
print(len(sources))
"""

IMPORT = """
import sys
from importlib.machinery import SourceFileLoader
sys.path.insert(0, sys.argv[1])
SourceFileLoader.source_to_code = None  # whoever needs to compile fails
import boto3, httpx
session = boto3.Session(region_name="us-east-1")
print(*(session.client(name).meta.endpoint_url for name in sys.argv[2:]))
"""


@pytest.fixture(scope="session")
def runtime() -> Path:
    interpreter = bytecode.find_interpreter()
    if interpreter is None:
        pytest.skip(f"python{bytecode.VERSION} is not on this machine, so bundles are sources only")
    return interpreter


def test_on_aws_every_module_ships_with_valid_byte_code(
    assemblies: dict[str, CloudAssembly], aws_stage: Stage, runtime: Path
) -> None:
    assets = _assets(assemblies, aws_stage)
    verified = [int(_run(runtime, VERIFY, str(asset.source))) for asset in assets]
    assert all(verified)
    assert sum(verified) > 500


def test_the_runtime_reads_the_packages_from_the_layer_without_compiling(
    assemblies: dict[str, CloudAssembly], runtime: Path
) -> None:
    """botocore finds the descriptions that are left, and every import comes from byte code."""
    (layer,) = (a for a in _assets(assemblies, "prod") if (a.source / "python/botocore").exists())
    services = dependencies.AWS_SERVICES
    endpoints = _run(runtime, IMPORT, str(layer.source / "python"), *services)
    assert len(endpoints.split()) == len(services)


def test_native_packages_are_those_of_the_functions_processor(
    assemblies: dict[str, CloudAssembly],
) -> None:
    native = [
        library.name
        for asset in _assets(assemblies, "prod")
        for library in asset.source.rglob("*.so")
    ]
    assert native
    assert all("cpython-313-aarch64" in name or "abi3" in name for name in native)


def test_the_local_stage_ships_nothing_that_is_built_for_another_machine(
    assemblies: dict[str, CloudAssembly],
) -> None:
    for asset in _assets(assemblies, "local"):
        assert not list(asset.source.rglob("*.so"))
        assert not list(asset.source.rglob("*.pyc"))


def test_no_bundle_holds_a_path_of_the_building_machine(
    assemblies: dict[str, CloudAssembly],
) -> None:
    here = str(dependencies.ROOT).encode()
    for asset in _assets(assemblies, "prod"):
        for path in asset.source.rglob("*"):
            assert path.is_dir() or here not in path.read_bytes(), path


def test_each_function_ships_its_own_package_alone(
    assemblies: dict[str, CloudAssembly], stage: Stage
) -> None:
    shipped = []
    for asset in _assets(assemblies, stage):
        functions = asset.source / "functions"
        if functions.exists():
            (own,) = (p for p in functions.iterdir() if p.is_dir() and p.name != "__pycache__")
            assert (own / "handler.py").is_file()
            shipped.append(own.name)
    assert sorted(shipped) == sorted(map(package, stage.functions))
    assert set(map(package, FUNCTIONS)) <= set(shipped)


def test_the_layers_stay_within_lambdas_size(assemblies: dict[str, CloudAssembly]) -> None:
    """250 MB unpacked is AWS's limit; a cold start asks for much less."""
    layers = [a for a in _assets(assemblies, "prod") if (a.source / "python").exists()]
    size = sum(
        path.stat().st_size for a in layers for path in a.source.rglob("*") if path.is_file()
    )
    assert size < 50_000_000


def test_the_layer_describes_every_service_that_the_functions_call() -> None:
    """One that botocore has no description of fails at its first call, on AWS alone."""
    root = dependencies.ROOT / "layers/core/python/riel/app.py"
    called = set(re.findall(r'self\.client\("([a-z]+)"\)', root.read_text()))
    assert {"dynamodb", "kms"} <= called <= set(dependencies.AWS_SERVICES)


def test_the_dependencies_layer_is_built_once_for_one_lock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built: list[Path] = []

    def install(folder: Path, _interpreter: Path | None) -> None:
        built.append(folder)
        folder.mkdir(parents=True)

    lock = tmp_path / "requirements.txt"
    lock.write_text("one")
    monkeypatch.setattr(dependencies, "ROOT", tmp_path)
    monkeypatch.setattr(dependencies, "LOCK", lock)
    monkeypatch.setattr(dependencies, "install", install)
    first = dependencies.build_dependencies_layer(None)
    assert dependencies.build_dependencies_layer(None) == first
    lock.write_text("two")
    assert dependencies.build_dependencies_layer(None) != first
    assert len(built) == 2


def test_every_dependency_is_pinned_by_hash_and_names_no_address() -> None:
    lock = dependencies.LOCK.read_text()
    pinned = [line for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert len(pinned) > 10
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock


def _run(interpreter: Path, program: str, *arguments: str) -> str:
    command = [str(interpreter), "-I", "-c", program, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def _assets(assemblies: dict[str, CloudAssembly], stage: Stage | str) -> list[Asset]:
    name = stage if isinstance(stage, str) else stage.name
    return [asset for stack in assemblies[name].stacks for asset in stack.assets]
