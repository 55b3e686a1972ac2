"""The gateways' secrets against Secrets Manager: how often it is asked, and what if it is down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig

from riel.app import App
from riel.errors import ConfigurationError, StoreUnavailableError
from riel.services.gateway_secrets import (
    FRESH_SECONDS,
    LAST_KNOWN_SECONDS,
    READ_EVERY_SECONDS,
    GatewaySecrets,
)
from riel.store.secrets import OVERLAP, SecretStore
from tests.builders import FakeClock
from tests.gateway_events import SECRET, SECRET_NAME


@pytest.fixture
def asked(listening: App) -> list[str]:
    """Grows by the version of each call to Secrets Manager."""
    made: list[str] = []
    client = listening.client("secretsmanager")
    client.meta.events.register(
        "provide-client-params.secretsmanager.*",
        lambda params, **_: made.append(params["VersionStage"]),
    )
    listening.__dict__["secrets"] = SecretStore(client)
    return made


def rotate(to: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=SECRET_NAME, SecretString=to)


def break_down(app: App) -> None:
    """Nothing listens on this port."""
    once = BotoConfig(retries={"total_max_attempts": 1}, connect_timeout=1)
    client: Any = boto3.client("secretsmanager", endpoint_url="http://127.0.0.1:9", config=once)
    app.__dict__["secrets"] = SecretStore(client)


def test_a_secret_is_read_once_and_again_when_that_is_too_long_ago(
    listening: App, asked: list[str], clock: FakeClock
) -> None:
    clock.advance((OVERLAP + timedelta(hours=1)).total_seconds())
    secrets = GatewaySecrets(listening)

    for _ in range(3):
        assert secrets.accepted() == (SECRET,)
    clock.advance(READ_EVERY_SECONDS - 1)
    secrets.accepted()
    assert asked == ["AWSCURRENT"], "and the one before it, once its day is over, not at all"

    clock.advance(1)
    secrets.accepted()
    assert asked == ["AWSCURRENT"] * 2


def test_fc_58_the_memory_is_renewed_early_for_who_asks_for_a_fresh_one(
    listening: App, asked: list[str], clock: FakeClock
) -> None:
    secrets = GatewaySecrets(listening)
    secrets.accepted()
    rotate("new")

    assert secrets.accepted(FRESH_SECONDS) == (SECRET,), "forgeries can not make us ask each time"
    calls = len(asked)
    clock.advance(FRESH_SECONDS)

    assert secrets.accepted() == (SECRET,)
    assert len(asked) == calls
    assert secrets.accepted(FRESH_SECONDS) == ("new", SECRET)


def test_what_can_not_be_read_again_counts_for_an_hour(listening: App, clock: FakeClock) -> None:
    secrets = listening.gateway_secrets
    secrets.accepted()
    break_down(listening)

    clock.advance(LAST_KNOWN_SECONDS - 1)
    assert secrets.accepted() == (SECRET,)

    clock.advance(READ_EVERY_SECONDS)
    with pytest.raises(StoreUnavailableError):
        secrets.accepted()


def test_a_service_that_came_back_is_believed_again(listening: App, clock: FakeClock) -> None:
    working = listening.secrets
    secrets = GatewaySecrets(listening)
    break_down(listening)
    with pytest.raises(StoreUnavailableError):
        secrets.accepted()

    listening.__dict__["secrets"] = working

    assert secrets.accepted() == (SECRET,)


def test_fc_73_a_clock_that_was_set_back_makes_no_secret_last_longer(
    listening: App, asked: list[str], clock: FakeClock
) -> None:
    secrets = GatewaySecrets(listening)
    secrets.accepted()
    calls = len(asked)
    clock.advance(-3600)

    secrets.accepted()

    assert len(asked) > calls


def test_a_secret_that_is_no_text_is_our_own_mistake(listening: App) -> None:
    manager = boto3.client("secretsmanager")
    manager.put_secret_value(SecretId=SECRET_NAME, SecretBinary=b"\x00")

    with pytest.raises(ConfigurationError):
        listening.gateway_secrets.accepted()
