"""Each stage is synthesized once, and not at all where its sources have not changed."""

from __future__ import annotations

import pytest

from infra.stages import STAGES, Stage, stage_named
from infra.synthesis import CloudAssembly, synthesize_all
from tests.infrastructure.templates import Templates

AWS_STAGES = ("dev", "prod")


@pytest.fixture(scope="session")
def assemblies() -> dict[str, CloudAssembly]:
    return dict(zip(STAGES, synthesize_all(*STAGES), strict=True))


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return stage_named(request.param)


@pytest.fixture(params=AWS_STAGES)
def aws_stage(request: pytest.FixtureRequest) -> Stage:
    return stage_named(request.param)


@pytest.fixture
def templates(assemblies: dict[str, CloudAssembly], stage: Stage) -> Templates:
    return _templates(assemblies, stage.name)


@pytest.fixture
def aws_templates(assemblies: dict[str, CloudAssembly], aws_stage: Stage) -> Templates:
    return _templates(assemblies, aws_stage.name)


@pytest.fixture
def dev(assemblies: dict[str, CloudAssembly]) -> Templates:
    return _templates(assemblies, "dev")


@pytest.fixture
def prod(assemblies: dict[str, CloudAssembly]) -> Templates:
    return _templates(assemblies, "prod")


def _templates(assemblies: dict[str, CloudAssembly], stage_name: str) -> Templates:
    return Templates(stage_name, [stack.template for stack in assemblies[stage_name].stacks])
