"""Where the simulated gateway is, and what a stage's stacks tell those who deploy them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra.stages import STAGES, Stage, UnknownStageError, stage_named
from infra.synthesis import CloudAssembly
from riel.app import MAX_ATTEMPTS, READ_TIMEOUT_SECONDS
from tests.infrastructure.templates import Templates


def test_production_has_no_simulator_and_no_gateway(prod: Templates) -> None:
    assert "simulator" not in " ".join([*prod.functions(), *prod.tables()])
    assert not prod.of_type("AWS::Lambda::Url")
    for function in prod.functions().values():
        variables = function["Environment"]["Variables"]
        assert not any("SIMULATOR" in name or name == "RIEL_ROUTES" for name in variables)
    assert not prod.of_type("AWS::SecretsManager::Secret")


def test_dev_has_a_simulator_that_only_signed_callers_reach(dev: Templates) -> None:
    assert "riel-dev-simulator" in dev.functions()
    assert "riel-dev-simulator" in dev.tables()
    (url,) = dev.of_type("AWS::Lambda::Url").values()
    assert url["AuthType"] == "AWS_IAM"
    assert (
        dev.functions()["riel-dev-processor"]["Environment"]["Variables"]["RIEL_SIMULATOR_AUTH"]
        == "iam"
    )


def test_locally_the_simulators_url_is_a_parameter(assemblies: dict[str, CloudAssembly]) -> None:
    local = Templates("local", [stack.template for stack in assemblies["local"].stacks])
    assert "riel-local-simulator" not in local.functions()
    for parameter in ("SimulatorUrl", "PublicUrl"):
        assert local.documents[1]["Parameters"][parameter]["Type"] == "String"
    for function in ("api", "processor"):
        variables = local.functions()[f"riel-local-{function}"]["Environment"]["Variables"]
        assert variables["RIEL_SIMULATOR_URL"] == {"Ref": "SimulatorUrl"}


def test_the_stateless_stack_tells_its_addresses(templates: Templates, stage: Stage) -> None:
    expected = {"ApiUrl", "ApiId", "AlarmTopicArn"}
    if stage.name == "dev":
        expected.add("SimulatorUrl")
    assert set(templates.documents[1]["Outputs"]) == expected


def test_the_tables_are_deployed_before_what_uses_them(
    assemblies: dict[str, CloudAssembly], stage: Stage
) -> None:
    assert [stack.name for stack in assemblies[stage.name].stacks] == [
        f"riel-{stage.name}-stateful",
        f"riel-{stage.name}-stateless",
    ]


def test_fc_64_two_calls_that_hang_leave_the_api_its_time_to_answer_503(stage: Stage) -> None:
    """The API key and the transaction: a database that accepts and never answers."""
    # botocore's standard mode pauses up to 1, 2, 4, … seconds before each further attempt.
    pauses = sum(2**n for n in range(MAX_ATTEMPTS - 1))
    longest_call = READ_TIMEOUT_SECONDS * MAX_ATTEMPTS + pauses
    assert 2 * longest_call < stage.functions["api"].timeout_seconds


def test_an_unknown_stage_is_answered_with_the_known() -> None:
    with pytest.raises(UnknownStageError, match="local, dev, prod"):
        stage_named("production")
    assert list(STAGES) == ["local", "dev", "prod"]


def test_stages_and_names_load_without_the_cdk() -> None:
    program = (
        "import sys, infra.stages, infra.names, infra.synthesis; print('aws_cdk' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
