"""No message is lost without somebody being told."""

from __future__ import annotations

from datetime import timedelta

from infra.names import Names
from infra.stages import LOCAL, SimulatorPlace, Stage
from riel.gateways.registry import CAPABILITIES
from riel.services.endpoint_health import FORGET_AFTER
from riel.store.deliveries import KEPT_ATTEMPTS
from riel.store.keys import OUTBOX_LIFE
from riel.store.queues import MAX_DELAY_SECONDS
from riel.webhooks.schedule import JITTER
from tests.infrastructure.templates import Templates

FOURTEEN_DAYS = 14 * 24 * 3600


def test_the_queues_are_those_that_the_operator_knows(templates: Templates, stage: Stage) -> None:
    names = Names(templates.stage)
    assert set(templates.queues()) == {
        *map(names.queue, stage.queues),
        *map(names.dead_letter_queue, stage.dead_letter_queues),
    }


def test_only_a_stage_with_a_simulator_has_a_queue_for_the_second_one(stage: Stage) -> None:
    has_simulator = stage.simulator is not SimulatorPlace.NONE
    assert ("payments-standby" in stage.queues) is has_simulator
    assert {"payments", "gateway-events", "webhooks"} <= set(stage.queues)


def test_every_queue_has_a_dead_letter_queue_or_is_one(templates: Templates) -> None:
    for name, queue in templates.queues().items():
        if name.endswith("-dlq"):
            assert "RedrivePolicy" not in queue
        else:
            dead_letters = templates.queue_named_by(queue["RedrivePolicy"]["deadLetterTargetArn"])
            assert dead_letters["QueueName"] == f"{name}-dlq"


def test_every_dead_letter_queue_raises_an_alarm_at_its_first_message(
    templates: Templates,
) -> None:
    alarms = templates.alarms()
    for name in templates.queues():
        if name.endswith("-dlq"):
            alarm = alarms[f"{name}-depth"]
            (dimension,) = alarm["Dimensions"]
            assert templates.queue_named_by(dimension["Value"])["QueueName"] == name
            assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
            assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
            assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 1)


def test_every_work_queue_raises_an_alarm_when_its_messages_grow_old(
    templates: Templates, stage: Stage
) -> None:
    alarms = templates.alarms()
    for name in map(Names(templates.stage).queue, stage.queues):
        alarm = alarms[f"{name}-age"]
        assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"


def test_every_queue_keeps_messages_fourteen_days_encrypted(templates: Templates) -> None:
    for queue in templates.queues().values():
        assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS
        assert queue["SqsManagedSseEnabled"] is True


def test_every_queue_refuses_plain_http(templates: Templates) -> None:
    guarded = {
        templates.queue_named_by(queue)["QueueName"]
        for policy in templates.of_type("AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert guarded == set(templates.queues())


def test_on_aws_a_message_stays_invisible_for_six_times_its_functions_timeout(
    aws_templates: Templates,
) -> None:
    functions = aws_templates.functions()
    for name, mapping in aws_templates.queue_mappings().items():
        function = functions[aws_templates.function_named_by(mapping["FunctionName"])]
        assert aws_templates.queues()[name]["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_on_aws_throttled_receives_do_not_exhaust_a_message(aws_templates: Templates) -> None:
    for queue in aws_templates.queues().values():
        if "RedrivePolicy" in queue:
            assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


def test_locally_a_message_outlives_its_functions_timeout_too(stage: Stage) -> None:
    for queue in stage.queues.values():
        assert queue.visibility_seconds > stage.functions[queue.consumer].timeout_seconds


def test_no_wait_of_a_gateway_step_is_longer_than_sqs_can_delay(stage: Stage) -> None:
    gateways = stage.gateways
    for waits in (gateways.retry_seconds, gateways.soft_decline_retry_seconds):
        assert all(1 <= wait <= MAX_DELAY_SECONDS for wait in waits)


def test_a_webhook_is_tried_after_1_2_and_4_seconds_and_then_ever_more_rarely(
    stage: Stage,
) -> None:
    waits = stage.webhook_retry_seconds
    assert waits[:3] == (1, 2, 4)
    assert list(waits) == sorted(set(waits))


def test_on_aws_a_webhook_is_tried_for_three_days_and_its_body_is_kept_for_longer(
    aws_stage: Stage,
) -> None:
    waits = aws_stage.webhook_retry_seconds
    assert timedelta(hours=72) <= timedelta(seconds=sum(waits)) < timedelta(hours=73)
    assert any(60 <= wait < 3600 for wait in waits), "minutes, before hours"
    assert timedelta(seconds=sum(waits)) * (1 + JITTER) < OUTBOX_LIFE
    assert len(waits) + 1 <= KEPT_ATTEMPTS, "the record has room for all attempts of a run"


def test_failures_of_one_delivery_count_as_one_spell_of_its_endpoint(aws_stage: Stage) -> None:
    """Else an endpoint that gets a webhook a week is never found to be dead."""
    longest = timedelta(seconds=max(aws_stage.webhook_retry_seconds))
    assert longest * (1 + JITTER) < FORGET_AFTER


def test_a_webhook_that_waits_as_a_delayed_copy_rings_no_alarm(aws_stage: Stage) -> None:
    assert aws_stage.queues["webhooks"].age_alarm_seconds > MAX_DELAY_SECONDS


def test_a_webhook_whose_host_is_slow_rings_no_alarm_on_this_machine() -> None:
    """Its copies come to more than the minute that is the limit of the other queues there."""
    assert LOCAL.queues["webhooks"].age_alarm_seconds > LOCAL.queues["payments"].age_alarm_seconds


def test_look_ups_grow_apart_and_outlast_the_gateways_longest_request(stage: Stage) -> None:
    """Only a look-up after the longest request proves that a charge was never made."""
    waits = stage.gateways.look_up_seconds
    assert list(waits) == sorted(waits)
    assert sum(waits) > CAPABILITIES["simulator"].longest_request_seconds
