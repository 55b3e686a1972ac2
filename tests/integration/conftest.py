"""The app that PSPs' events reach, and what the fuzz tests count (told at the end of a run)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from riel.app import App
from riel.observability import metrics
from riel.services.host_breakers import HostBreakers
from tests.gateway_events import SECRET, SECRET_NAME
from tests.integration.inbound import Inbound


@pytest.fixture(autouse=True)
def _fresh_metrics() -> Iterator[None]:
    """What a test counts is its own."""
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


@pytest.fixture
def breakers(app: App) -> HostBreakers:
    return HostBreakers(app)


@pytest.fixture
def others(app: App) -> HostBreakers:
    """Another environment."""
    return HostBreakers(app)


@pytest.fixture
def listening(app: App) -> App:
    """The app with what PSPs' events need: their queue, and the secret by which they are signed."""
    boto3.client("secretsmanager").create_secret(Name=SECRET_NAME, SecretString=SECRET)
    queue = boto3.client("sqs").create_queue(QueueName="gateway-events")
    app.config = replace(
        app.config, gateway_events_queue_url=queue["QueueUrl"], simulator_secret=SECRET_NAME
    )
    return app


@pytest.fixture
def inbound(listening: App, monkeypatch: pytest.MonkeyPatch) -> Inbound:
    return Inbound(listening, monkeypatch)


@pytest.fixture
def copies(listening: App) -> list[tuple[dict[str, Any], int]]:
    """Each message that is sent to the gateway-events queue, with its delay in seconds."""
    sent: list[tuple[dict[str, Any], int]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        if params["QueueUrl"] == listening.config.gateway_events_queue_url:
            sent.append((json.loads(params["MessageBody"]), params["DelaySeconds"]))

    listening.sqs.meta.events.register("provide-client-params.sqs.SendMessage", note)
    return sent


_COUNTED = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def fuzz_report(pytestconfig: pytest.Config) -> Counter[str]:
    """Inputs by the test that sent them. Each one was judged, so none that is counted was a 5xx."""
    return pytestconfig.stash.setdefault(_COUNTED, Counter())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many inputs were tried."""
    counted = config.stash.get(_COUNTED, Counter())
    if counted:
        parts = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
        failed = len(terminalreporter.stats.get("failed", ()))
        terminalreporter.write_line(f"fuzz: {counted.total()} inputs ({parts}); {failed} failed")
