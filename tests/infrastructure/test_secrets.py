"""What a gateway and we alone know, and the key under which merchants' secrets are sealed."""

from __future__ import annotations

from typing import Any

from infra.names import Names
from infra.stages import SimulatorPlace, Stage
from tests.infrastructure.templates import Templates, logical_id_of


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


def test_a_stage_has_one_key_for_the_secrets_of_all_merchants(
    templates: Templates, stage: Stage
) -> None:
    (key_id, key), (alias,) = _key(templates), templates.of_type("AWS::KMS::Alias").values()
    assert alias["AliasName"] == f"alias/riel-{stage.name}-webhook-secrets"
    assert alias["AliasName"] == Names(stage.name).webhook_key
    assert logical_id_of(alias["TargetKeyId"]) == key_id
    assert key["EnableKeyRotation"] is True
    assert key["PendingWindowInDays"] == (30 if stage.protects_data else 7)


def test_the_key_lets_in_the_account_alone(templates: Templates) -> None:
    """Whom the account lets use it, its own policies say: the sender, and operators."""
    _, key = _key(templates)
    (statement,) = key["KeyPolicy"]["Statement"]
    assert statement["Principal"]["AWS"]["Fn::Join"][1][-1] == ":root"
    assert {"Ref": "AWS::AccountId"} in statement["Principal"]["AWS"]["Fn::Join"][1]


def test_production_keeps_its_key_and_the_keys_name_whatever_happens_to_the_stack(
    prod: Templates,
) -> None:
    kept = [r for r in prod.resources.values() if r["Type"].startswith("AWS::KMS::")]
    assert len(kept) == 2
    for resource in kept:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def _key(templates: Templates) -> tuple[str, dict[str, Any]]:
    (key,) = templates.of_type("AWS::KMS::Key").items()
    return key
