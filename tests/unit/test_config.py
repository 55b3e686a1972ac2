"""Settings: read once, refused with the variable's name."""

from __future__ import annotations

import pytest

from riel.config import Config, EventFaults, SimulatorConfig
from riel.errors import ConfigurationError


def test_an_empty_environment_gives_the_defaults() -> None:
    config = Config.from_environment({})

    assert config == Config()
    assert config.loopback_webhooks is False


def test_what_is_missing_is_named_where_it_is_used() -> None:
    with pytest.raises(ConfigurationError, match="RIEL_PAYMENTS_TABLE is not set"):
        Config().required("payments_table")


@pytest.mark.parametrize("text", ["1,x", "901", "-1"])
def test_a_schedule_that_sqs_can_not_keep_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Config.from_environment({"RIEL_GATEWAY_RETRY_SECONDS": text})


@pytest.mark.parametrize("text", ["1,x", "", "0", "-1"])
def test_a_schedule_of_webhooks_is_in_whole_seconds_and_may_wait_for_days(text: str) -> None:
    """A wait that is too long for SQS stands in the index of what is due."""
    with pytest.raises(ConfigurationError):
        Config.from_environment({"RIEL_WEBHOOK_RETRY_SECONDS": text})
    config = Config.from_environment({"RIEL_WEBHOOK_RETRY_SECONDS": "1,90000"})
    assert config.webhook_retry_seconds == (1, 90_000)


@pytest.mark.parametrize(
    ("latency", "rate"), [("2", "0.9"), ("5-2", "0.9"), ("0-99", "0.9"), ("0-1", "2"), ("a-b", "1")]
)
def test_a_simulator_that_can_not_be_is_refused(latency: str, rate: str) -> None:
    environment = {
        "RIEL_SIMULATOR_TABLE": "t",
        "RIEL_SIMULATOR_LATENCY": latency,
        "RIEL_SIMULATOR_SUCCESS_RATE": rate,
    }
    with pytest.raises(ConfigurationError):
        SimulatorConfig.from_environment(environment)


def test_the_simulator_reads_its_bounds() -> None:
    environment = {
        "RIEL_SIMULATOR_TABLE": "t",
        "RIEL_SIMULATOR_LATENCY": "2-5",
        "RIEL_SIMULATOR_SUCCESS_RATE": "1",
    }
    assert SimulatorConfig.from_environment(environment) == SimulatorConfig("t", (2.0, 5.0), 1.0)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", EventFaults((0.0, 0.5))),
        ("delay=0-2", EventFaults((0.0, 2.0))),
        ("off", EventFaults(off=True)),
        (
            "delay=1-2, duplicate=0.3,reorder=0.2,lose=0.1,off",
            EventFaults((1.0, 2.0), 0.3, 0.2, 0.1, True),
        ),
    ],
)
def test_the_faults_of_events_are_read(text: str, faults: EventFaults) -> None:
    assert EventFaults.parse(text) == faults


@pytest.mark.parametrize("text", ["lose", "lose=2", "lose=-1", "delay=2", "delay=2-1", "late=1"])
def test_faults_of_events_that_can_not_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        EventFaults.parse(text)
