"""What runs by the clock."""

from __future__ import annotations

from infra.names import Names
from infra.stages import Stage
from tests.infrastructure.templates import Resource, Templates, logical_id_of


def test_the_sweeper_runs_every_minute_and_no_missed_run_is_made_up(
    templates: Templates, stage: Stage
) -> None:
    schedule = _schedule(templates)
    assert schedule["Name"] == Names(stage.name).schedule("sweeper")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["State"] == "ENABLED"
    target = schedule["Target"]
    assert templates.function_named_by(target["Arn"]) == Names(stage.name).function("sweeper")
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


def test_lambda_does_not_repeat_a_run_that_failed_either(templates: Templates) -> None:
    (settings,) = templates.of_type("AWS::Lambda::EventInvokeConfig").values()
    sweeper = Names(templates.stage).function("sweeper")
    assert templates.function_named_by(settings["FunctionName"]) == sweeper
    assert settings["MaximumRetryAttempts"] == 0
    assert settings["MaximumEventAgeInSeconds"] == 60


def test_a_run_ends_before_the_next_begins(stage: Stage) -> None:
    assert stage.functions["sweeper"].timeout_seconds < 60


def test_the_clock_may_start_the_sweeper_and_nothing_else(templates: Templates) -> None:
    role = logical_id_of(_schedule(templates)["Target"]["RoleArn"])
    (trust,) = templates.of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    (statement,) = (s for policy, s in templates.statements() if policy.startswith("EveryMinute"))
    assert statement["Action"] == "lambda:InvokeFunction"
    sweeper = Names(templates.stage).function("sweeper")
    assert templates.function_named_by(statement["Resource"]) == sweeper


def test_the_sweeper_looks_at_an_event_only_when_its_first_worker_can_not_be_at_it(
    stage: Stage,
) -> None:
    ages = stage.sweeper.ages_seconds
    assert list(ages) == sorted(ages)
    assert ages[0] > stage.lease_seconds
    assert stage.sweeper.lag_alarm_seconds > ages[0]


def _schedule(templates: Templates) -> Resource:
    (schedule,) = templates.of_type("AWS::Scheduler::Schedule").values()
    return schedule
