"""Queue depths become metrics, so that a deployed alarm really changes."""

from __future__ import annotations

import time

import pytest

from infra.local.metrics import IteratorAges, queue_depths
from tests.integration.local.conftest import SampleStage


def test_the_oldest_age_of_a_period_counts_and_silence_is_zero() -> None:
    ages = IteratorAges()
    ages.observe("relay", 0.5)
    ages.observe("relay", 0.2)
    assert ages.take() == {"relay": 0.5}
    assert ages.take() == {"relay": 0.0}


@pytest.mark.engine
def test_a_dead_letter_sets_off_its_alarm(stage: SampleStage) -> None:
    stage.send("work-dlq", {"id": "by hand"})
    assert queue_depths(stage.aws)["work-dlq"]["ApproximateNumberOfMessagesVisible"] >= 1
    deadline = time.monotonic() + 60
    while _alarm_state(stage) != "ALARM":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    stage.receive_until("work-dlq", lambda bodies: len(bodies) >= 1)


def _alarm_state(stage: SampleStage) -> str:
    alarms = stage.aws.cloudwatch.describe_alarms(AlarmNames=["work-dlq-depth"])
    return alarms["MetricAlarms"][0]["StateValue"]
