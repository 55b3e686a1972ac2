"""`riel merchants` on the engine: from a name to a payment, and back to 401."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from infra.cli.stage_access import open_stage
from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.local.seed import DEMO_WEBHOOK_SECRET
from infra.names import Names
from infra.stages import LOCAL
from riel.domain.instants import from_text
from riel.errors import InvalidStateError, StoreUnavailableError
from riel.services import merchants
from tests.integration.cli.conftest import Riel


@pytest.fixture
def shop(riel: Riel) -> dict[str, Any]:
    created: dict[str, Any] = riel.json("merchants", "create", "Café [Ñandú]")
    return created


def listed(riel: Riel, merchant_id: str) -> dict[str, Any]:
    everyone: list[dict[str, Any]] = riel.json("merchants", "list")["data"]
    (found,) = [one for one in everyone if one["id"] == merchant_id]
    return found


def post(platform: LocalPlatform, api_key: str) -> httpx.Response:
    return httpx.post(
        f"{platform.state.api}/api/v1/payments",
        json={"amount": "1", "currency": "MXN"},
        headers={"X-API-Key": api_key, "Idempotency-Key": f"key-{uuid.uuid4()}"},
        timeout=60,
        trust_env=False,
    )


def test_create_answers_what_the_contract_names(riel: Riel, shop: dict[str, Any]) -> None:
    assert set(shop) == {"id", "name", "api_key", "webhook_secret", "key_id", "livemode"}
    assert (shop["name"], shop["livemode"]) == ("Café [Ñandú]", False)
    assert shop["api_key"].startswith("sk_test_")
    assert shop["webhook_secret"].startswith("whsec_")

    found = listed(riel, shop["id"])
    limits = LOCAL.merchant_limits
    assert found["limits"] == {"rate": limits.rate, "burst": limits.burst}
    assert [key["key_id"] for key in found["api_keys"]] == [shop["key_id"]]
    assert found["api_keys"][0]["revoked_at"] is None
    (secret,) = found["webhook_secrets"]
    assert secret == {"created_at": found["created_at"], "until": None}
    screen = riel("merchants", "list")
    for words in (shop["id"], "Café [Ñandú]", shop["key_id"], shop["api_key"][-4:], "demo"):
        assert words in screen
    assert shop["api_key"] not in screen
    assert shop["webhook_secret"] not in screen


def test_a_new_merchant_pays_and_a_key_revoked_before_its_use_never_does(
    riel: Riel, platform: LocalPlatform, shop: dict[str, Any]
) -> None:
    second = riel.json("merchants", "rotate-key", shop["id"])
    revoked = riel.json("merchants", "revoke-key", shop["id"], second["key_id"])

    accepted, refused = post(platform, shop["api_key"]), post(platform, second["api_key"])

    assert accepted.status_code == 202, accepted.text
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert second["other_key_ids"] == [shop["key_id"]]
    assert (revoked["key_id"], revoked["was_revoked"]) == (second["key_id"], False)


def test_the_way_of_a_rotation_in_words(riel: Riel, shop: dict[str, Any]) -> None:
    told = riel("merchants", "rotate-key", shop["id"])
    third = riel("merchants", "rotate-key", shop["id"], code=1)
    live = riel.json("merchants", "rotate-key", "--live", shop["id"])
    first = riel("merchants", "revoke-key", shop["id"], shop["key_id"])
    again = riel("merchants", "revoke-key", shop["id"], shop["key_id"])
    unknown = riel("merchants", "revoke-key", shop["id"], "key_none", code=1)

    assert f"revoke-key {shop['id']} {shop['key_id']}" in told
    assert "has 2 working test keys: revoke" in third
    assert live["api_key"].startswith("sk_live_")
    assert first == f"{shop['key_id']} is revoked: it stops working within 30 seconds.\n"
    assert again.startswith(f"{shop['key_id']} was revoked already, at ")
    assert unknown.startswith(f"{shop['id']} has no key key_none.")
    assert len(listed(riel, shop["id"])["api_keys"]) == 3


def test_the_way_of_a_webhook_secret_in_words(riel: Riel, shop: dict[str, Any]) -> None:
    told = riel("merchants", "rotate-webhook-secret", shop["id"])
    refused = riel("merchants", "rotate-webhook-secret", shop["id"], code=1)
    new, old = listed(riel, shop["id"])["webhook_secrets"]
    leak = riel.json("merchants", "rotate-webhook-secret", shop["id"], "--at-once")
    unknown = riel("merchants", "rotate-webhook-secret", "mer_none", code=1)

    assert "whsec_" in told
    assert "each webhook has two signatures" in told
    assert refused.startswith(f"{shop['id']} has two live webhook secrets until {old['until']}.")
    assert f"merchants rotate-webhook-secret {shop['id']} --at-once\n" in refused
    assert from_text(old["until"]) == from_text(new["created_at"]) + timedelta(hours=24)
    assert set(leak) == {"id", "webhook_secret", "created_at", "both_until"}
    assert leak["both_until"] is None
    assert len(listed(riel, shop["id"])["webhook_secrets"]) == 1
    assert unknown.startswith("There is no merchant mer_none.\nSee what there is with: ")


def test_secrets_are_sealed_under_the_key_that_the_stage_has_deployed(
    riel: Riel, engine_aws: Aws, shop: dict[str, Any]
) -> None:
    """The alias, the key and the encryption context, as the template gives them to the engine."""
    app = open_stage("local").app
    merchant, demo = app.merchants.get(shop["id"]), app.merchants.get("demo")
    assert merchant is not None
    assert demo is not None

    assert app.webhook_secrets.of(merchant) == (shop["webhook_secret"],)
    assert app.webhook_secrets.of(demo) == (DEMO_WEBHOOK_SECRET,)
    with pytest.raises(StoreUnavailableError, match="InvalidCiphertext"):
        app.webhook_secrets.of(replace(merchant, webhook_secrets=demo.webhook_secrets))
    kms = engine_aws.client("kms")
    key = kms.describe_key(KeyId=Names(LOCAL.name).webhook_key)["KeyMetadata"]["KeyId"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True


def test_limits_are_changed_and_an_unknown_merchant_is_one_sentence(
    riel: Riel, shop: dict[str, Any]
) -> None:
    changed = riel.json("merchants", "limit", shop["id"], "--rate", "5", "--burst", "9")
    unknown = riel("merchants", "limit", "mer_none", "--rate", "5", "--burst", "9", code=1)

    assert changed == {"id": shop["id"], "limits": {"rate": 5, "burst": 9}}
    assert listed(riel, shop["id"])["limits"] == {"rate": 5, "burst": 9}
    assert unknown.startswith("There is no merchant mer_none.\nSee what there is with: ")


def test_a_name_that_can_not_be_shown_is_a_wrong_use(riel: Riel) -> None:
    told = riel("merchants", "create", "a\tb", code=2)

    assert told == "Name: a name has 1 to 100 printable characters.\n"


def test_of_many_operators_at_once_one_adds_the_second_key(
    riel: Riel, shop: dict[str, Any]
) -> None:
    """On the engine, because the model has no real races."""
    app = open_stage("local").app

    def rotate(_: int) -> str | None:
        try:
            return merchants.rotate_key(app, shop["id"], False).key.key_id
        except InvalidStateError:
            return None

    with ThreadPoolExecutor(8) as pool:
        added = [key_id for key_id in pool.map(rotate, range(8)) if key_id]

    assert len(added) == 1
    keys = [key["key_id"] for key in listed(riel, shop["id"])["api_keys"]]
    assert keys == [shop["key_id"], *added]
