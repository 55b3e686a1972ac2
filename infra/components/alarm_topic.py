"""The SNS topic of a stage's alarms, and the only way in which an alarm is made."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.names import Names
from infra.stages import Stage

ONE_MINUTE = Duration.minutes(1)


class AlarmTopic(sns.Topic):
    """Tells the stage's subscribers; an alarm made by `alarm_when` can not forget to notify."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope, construct_id, topic_name=Names(stage.name).alarm_topic, enforce_ssl=True
        )
        self._names = Names(stage.name)
        for address in stage.alarm_emails:
            self.add_subscription(subscriptions.EmailSubscription(address))
        # A topic's own policy replaces the default one, by which CloudWatch could publish.
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CloudWatchAlarms",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )

    def alarm_when(
        self,
        scope: Construct,
        construct_id: str,
        what: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        description: str,
        evaluation_periods: int = 1,
        silence: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """An alarm `riel-<stage>-<what>` that fires when the metric exceeds `above`.

        Silence is health: a queue or function that nobody uses publishes nothing. What has to
        report every minute says otherwise.
        """
        alarm = cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_name=self._names.alarm(what),
            alarm_description=description,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=evaluation_periods,
            treat_missing_data=silence,
        )
        alarm.add_alarm_action(actions.SnsAction(self))
        return alarm
