"""An alarm that nobody hears is none."""

from __future__ import annotations

import re
from pathlib import Path

from infra.names import FUNCTIONS, Names
from infra.stages import Stage
from tests.infrastructure.templates import Templates


def test_every_alarm_notifies_the_topic(templates: Templates) -> None:
    (topic,) = templates.of_type("AWS::SNS::Topic")
    for alarm in templates.alarms().values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]


def test_cloudwatch_may_publish_to_the_topic(templates: Templates) -> None:
    (policy,) = templates.of_type("AWS::SNS::TopicPolicy").values()
    allowed = [
        statement["Principal"]["Service"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Action"] == "sns:Publish"
    ]
    assert allowed == ["cloudwatch.amazonaws.com"]


def test_the_topic_tells_those_whom_the_stage_names(templates: Templates, stage: Stage) -> None:
    told = [s["Endpoint"] for s in templates.of_type("AWS::SNS::Subscription").values()]
    assert told == list(stage.alarm_emails)


def test_silence_is_no_alarm(templates: Templates) -> None:
    for alarm in templates.alarms().values():
        assert alarm["TreatMissingData"] == "notBreaching"


def test_errors_throttles_latency_and_lag_are_watched(templates: Templates) -> None:
    names = Names(templates.stage)
    expected = {names.alarm(f"{f}-{what}") for f in FUNCTIONS for what in ("errors", "throttles")}
    expected |= {names.alarm(w) for w in ("api-5xx", "api-p99", "outbox-relay-iterator-age")}
    assert expected <= set(templates.alarms())


def test_every_alarm_says_what_is_wrong(templates: Templates) -> None:
    for alarm in templates.alarms().values():
        assert len(alarm["AlarmDescription"]) > 20


def test_there_is_a_dashboard(templates: Templates) -> None:
    (dashboard,) = templates.of_type("AWS::CloudWatch::Dashboard").values()
    assert dashboard["DashboardName"] == Names(templates.stage).prefix


def test_every_alarm_has_its_section_in_the_runbook(templates: Templates) -> None:
    runbook = (Path(__file__).parents[2] / "docs/runbook.md").read_text()
    headings = re.findall(r"^## (.+)$", runbook, re.M)
    sections = [word for heading in headings for word in heading.split(", ")]
    for name in templates.alarms():
        assert any(name.endswith("-" + section) for section in sections), name
