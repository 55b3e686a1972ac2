"""Alarms on what the functions count themselves: the business, not the machinery."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.components.alarm_topic import AlarmTopic
from infra.components.count_alarms import COUNT_ALARMS
from infra.names import Names
from infra.stages import Stage


class PaymentAlarms(Construct):
    """The alarms of `COUNT_ALARMS`, over the metrics that Powertools writes as EMF."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, alarms: AlarmTopic
    ) -> None:
        super().__init__(scope, construct_id)
        names = Names(stage.name)
        self._add_sweeper_lag(stage, alarms)
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
                alarm.what.title().replace("-", ""),
                alarm.what,
                metric,
                above=alarm.above,
                description=alarm.description,
            )

    def _add_sweeper_lag(self, stage: Stage, alarms: AlarmTopic) -> None:
        """The sweeper tells its lag at each run, so no word from it is the worst word."""
        alarms.alarm_when(
            self,
            "SweeperLag",
            "sweeper-lag",
            cloudwatch.Metric(
                namespace="Riel",
                metric_name="SweeperLagSeconds",
                dimensions_map={"service": Names(stage.name).function("sweeper")},
                period=Duration.minutes(5),
                statistic="Maximum",
            ),
            above=stage.sweeper.lag_alarm_seconds,
            evaluation_periods=2,
            description="The sweeper does not run, or falls behind what it has to look through.",
            silence=cloudwatch.TreatMissingData.BREACHING,
        )
