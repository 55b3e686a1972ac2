"""What a gateway and we alone know."""

from __future__ import annotations

from infra.names import Names
from infra.stages import SimulatorPlace, Stage
from tests.infrastructure.templates import Templates


def test_a_stage_with_a_simulator_shares_one_random_secret_with_it(
    templates: Templates, stage: Stage
) -> None:
    secrets = templates.named("AWS::SecretsManager::Secret", "Name")
    if stage.simulator is SimulatorPlace.NONE:
        assert not secrets
        return
    (name,) = secrets
    assert name == Names(stage.name).secret("simulator") == f"riel-{stage.name}-simulator"
    # Letters and digits alone, so that it goes through any shell and any header as it is.
    recipe = secrets[name]["GenerateSecretString"]
    assert recipe["ExcludePunctuation"] is True
    assert recipe["PasswordLength"] >= 32


def test_no_template_holds_a_secret_itself(templates: Templates) -> None:
    for secret in templates.of_type("AWS::SecretsManager::Secret").values():
        assert "SecretString" not in secret


def test_functions_know_the_secret_by_name_alone(templates: Templates, stage: Stage) -> None:
    name = Names(stage.name).secret("simulator")
    for function in templates.functions().values():
        variables = function["Environment"]["Variables"]
        assert variables.get("RIEL_SIMULATOR_SECRET", name) == name
