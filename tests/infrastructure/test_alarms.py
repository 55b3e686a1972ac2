"""An alarm that nobody hears is none."""

from __future__ import annotations

import re
from pathlib import Path

from infra.components.count_alarms import COUNT_ALARMS
from infra.names import FUNCTIONS, Names
from infra.stages import Stage
from riel.domain.payment import Status
from tests.infrastructure.templates import Templates

# Counted under a name that is made of what the payment or the refund became.
BUILT_NAMES = {
    f'"{kind}{status.title().replace("_", "")}"'
    for kind in ("Payment", "Refund")
    for status in Status
}


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


def test_silence_is_no_alarm_but_that_of_the_sweeper(templates: Templates) -> None:
    """It reports every minute, so no report is the loudest one."""
    lag = Names(templates.stage).alarm("sweeper-lag")
    for name, alarm in templates.alarms().items():
        assert alarm["TreatMissingData"] == ("breaching" if name == lag else "notBreaching")


def test_the_sweepers_lag_is_watched_at_its_worst(templates: Templates, stage: Stage) -> None:
    names = Names(templates.stage)
    alarm = templates.alarms()[names.alarm("sweeper-lag")]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("Riel", "SweeperLagSeconds")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", stage.sweeper.lag_alarm_seconds)
    assert alarm["Dimensions"] == [{"Name": "service", "Value": names.function("sweeper")}]


def test_every_alarm_on_a_count_names_a_metric_that_its_function_can_write(
    templates: Templates,
) -> None:
    """A renamed metric would silence its alarm for ever."""
    layers = (Path(__file__).parents[2] / "layers/core/python/riel").rglob("*.py")
    functions = (Path(__file__).parents[2] / "functions").rglob("*.py")
    code = "".join(source.read_text() for source in (*layers, *functions))
    assert COUNT_ALARMS
    for alarm in COUNT_ALARMS:
        deployed = templates.alarms()[Names(templates.stage).alarm(alarm.what)]
        assert deployed["MetricName"] == alarm.metric
        assert deployed["Statistic"] == "Sum"
        written = f'"{alarm.metric}"'
        assert written in code or written in BUILT_NAMES, alarm.what


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
