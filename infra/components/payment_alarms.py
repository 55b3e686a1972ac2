"""Alarms on what the functions count themselves: the business, not the machinery."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.components.alarm_topic import AlarmTopic
from infra.names import Names
from infra.stages import Stage


@dataclass(frozen=True)
class CountAlarm:
    """Fires when a function counted more than `above` within the minutes."""

    what: str
    function: str
    metric: str
    above: int
    minutes: int
    description: str


COUNT_ALARMS = (
    CountAlarm(
        "api-defects",
        "api",
        "ApiDefect",
        above=0,
        minutes=1,
        description="A merchant was answered 500: a defect of ours.",
    ),
    CountAlarm(
        "payments-refused-busy",
        "api",
        "PaymentRefusedBusy",
        above=0,
        minutes=5,
        description="New payments are refused: too many wait for their gateway already.",
    ),
    CountAlarm(
        "rate-not-checked",
        "api",
        "RateNotChecked",
        above=0,
        minutes=5,
        description="Reads go on without a limit: the limits table does not answer.",
    ),
    CountAlarm(
        "backlog-not-read",
        "api",
        "BacklogNotRead",
        above=0,
        minutes=15,
        description="Payments are taken without back-pressure: the figure can not be read.",
    ),
    CountAlarm(
        "backlog-not-measured",
        "processor",
        "BacklogNotMeasured",
        above=0,
        minutes=15,
        description="Payments are taken without back-pressure: the figure is not written.",
    ),
    CountAlarm(
        "gateway-deferrals",
        "processor",
        "PaymentStepDeferred",
        # One payment that can not reach its PSP is deferred three times in any quarter of an hour.
        above=2,
        minutes=15,
        description="Payments wait: their gateway is unavailable or does not answer.",
    ),
    CountAlarm(
        "gateway-unmapped",
        "processor",
        "GatewayAnswerUnmapped",
        above=0,
        minutes=1,
        description="psp_unmapped_status: a gateway answered what no adapter understands.",
    ),
    CountAlarm(
        "payments-in-review",
        "processor",
        "PaymentInReview",
        above=0,
        minutes=1,
        description="A payment waits for a person: its outcome is contradicted or unknown.",
    ),
)


class PaymentAlarms(Construct):
    """The alarms of `COUNT_ALARMS`, over the metrics that Powertools writes as EMF."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, alarms: AlarmTopic
    ) -> None:
        super().__init__(scope, construct_id)
        names = Names(stage.name)
        for alarm in COUNT_ALARMS:
            metric = cloudwatch.Metric(
                namespace="Riel",
                metric_name=alarm.metric,
                dimensions_map={"service": names.function(alarm.function)},
                period=Duration.minutes(alarm.minutes),
                statistic="Sum",
            )
            alarms.alarm_when(
                self,
                alarm.metric,
                alarm.what,
                metric,
                above=alarm.above,
                description=alarm.description,
            )
