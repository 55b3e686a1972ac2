"""Deployment tells why it failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.deployment import deploy
from infra.local.engine import Engine
from infra.local.errors import LocalStageError
from infra.synthesis import CloudAssembly, SynthesizedStack

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (
            {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::ImportValue": "absent"}}},
            "Broken.*Export 'absent' not found",
        ),
        ({"Type": "AWS::No::Such"}, "Unrecognized resource types"),
    ],
)
def test_a_failed_stack_is_reported_with_its_reason(
    engine: tuple[Engine, int], tmp_path: Path, resource: dict[str, Any], reason: str
) -> None:
    template = tmp_path / "broken.template.json"
    template.write_text(json.dumps({"Resources": {"Broken": resource}}))
    assembly = CloudAssembly(tmp_path, (SynthesizedStack("broken", template, ()),))
    with pytest.raises(LocalStageError, match=reason):
        deploy(Aws(engine[0].endpoint), assembly, {})


def test_parameters_reach_the_stacks_that_declare_them(
    engine: tuple[Engine, int], tmp_path: Path
) -> None:
    template = tmp_path / "parameter.template.json"
    template.write_text(
        json.dumps(
            {
                "Parameters": {"SimulatorUrl": {"Type": "String"}},
                "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
                "Outputs": {"Url": {"Value": {"Ref": "SimulatorUrl"}}},
            }
        )
    )
    assembly = CloudAssembly(tmp_path, (SynthesizedStack("parameter", template, ()),))
    parameters = {"SimulatorUrl": "http://127.0.0.1:1", "Other": "unused"}
    assert deploy(Aws(engine[0].endpoint), assembly, parameters) == {"Url": "http://127.0.0.1:1"}
