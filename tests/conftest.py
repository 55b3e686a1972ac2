"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, settings

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from riel.app import App
from tests.builders import (
    FakeClock,
    FakeGateway,
    create_tables,
    make_app,
    seed_demo,
)
from tests.endpoint import Endpoint, running_endpoint
from tests.model import make_queue, model_session, new_model

# Machines that are shared and slow must not fail a test: no deadlines, and the same examples in CI.
settings.register_profile("riel", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riel")


@pytest.fixture(autouse=True)
def _no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can reach an account: play credentials, a fixed region, no profile."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "test",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def aws(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model of AWS with our tables, at the test's time, behind every client that is made."""
    new_model(lambda: clock().timestamp())
    monkeypatch.setattr(boto3.session, "Session", model_session)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", model_session())
    client = boto3.client("dynamodb")
    create_tables(client)
    return client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def app(aws: Any, clock: FakeClock, gateway: FakeGateway) -> App:
    """An app over the model of AWS, with a seeded demo merchant, queues, and a PSP in memory."""
    urls = {
        f"{name}_url": make_queue(name)
        for name in ("payments_queue", "webhooks_queue", "webhooks_dlq", "gateway_events_queue")
    }
    built = make_app(gateway, clock, **urls)
    seed_demo(built)
    return built


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A merchant's endpoint on loopback."""
    with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """The whole local stage, once per run, on free ports, beside any that a person has running."""
    folder = tmp_path_factory.mktemp("stage")
    with LocalPlatform(0, aws_port=0, simulator_port=0, state_folder=folder) as running:
        yield running


@pytest.fixture(scope="session")
def engine_aws(platform: LocalPlatform) -> Aws:
    """The engine's AWS clients."""
    return Aws(platform.state.aws_endpoint)


@pytest.fixture
def no_dead_letters(platform: LocalPlatform, engine_aws: Aws) -> Iterator[None]:
    """Empty every dead-letter queue of the shared stage, before a test and after it."""
    dead = [url for name, url in platform.state.queues.items() if name.endswith("-dlq")]
    for url in dead:
        engine_aws.queues.purge_queue(QueueUrl=url)
    yield
    for url in dead:
        engine_aws.queues.purge_queue(QueueUrl=url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the engine, so that `-m "not engine"` is a quick run.

    With several processes, what starts engines and what synthesizes each stay in one of them, so
    that few tests fight over the machine's cores. What acts on the deployed stage as a whole is one
    part, what needs an engine for its own tables or processes another; each starts its stage once.
    The sweeper's tests wait for minutes to pass, so they do that beside the others, on their own.
    """
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)
        path = item.path.as_posix()
        if path.endswith("end_to_end/test_sweeper.py"):
            item.add_marker(pytest.mark.xdist_group("sweeper"))
        elif item.get_closest_marker("engine") or "integration/local" in path:
            is_stage = "tests/end_to_end" in path or "integration/cli" in path
            item.add_marker(pytest.mark.xdist_group("stage" if is_stage else "engine"))
        elif "tests/infrastructure" in path:
            item.add_marker(pytest.mark.xdist_group("infrastructure"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-costs` renews the table of docs/cost-of-a-payment.md from what was counted."""
    parser.addoption("--write-costs", action="store_true", help="renew the measured cost table")
