"""A work queue is always a queue, its dead-letter queue, the redrive between, and their alarms."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.components.alarm_topic import ONE_MINUTE, AlarmTopic
from infra.components.findings import SERVERLESS, SOLUTIONS, accept
from infra.names import Names
from infra.stages import Stage

# The longest that SQS offers. A message keeps its first send time when it moves to the dead
# letters, so a shorter retention there would let one vanish soon after it arrived.
RETENTION = Duration.days(14)


class DeadLetterQueue(sqs.Queue):
    """Where messages wait for a person; one message is enough for the alarm."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, name: str, alarms: AlarmTopic
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            queue_name=Names(stage.name).dead_letter_queue(name),
            retention_period=RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        accept(
            self,
            "This queue is where dead letters end; a person empties it.",
            f"{SOLUTIONS}SQS3",
            f"{SERVERLESS}SQSRedrivePolicy",
        )
        alarms.alarm_when(
            self,
            "Depth",
            f"{name}-dlq-depth",
            self.metric_approximate_number_of_messages_visible(
                period=ONE_MINUTE, statistic="Maximum"
            ),
            above=0,
            description=f"Something was given up on: riel dlq show {name} --stage {stage.name}",
        )


class WorkQueue(sqs.Queue):
    """A standard queue with everything that a queue of ours needs; `dead_letters` is its DLQ."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, name: str, alarms: AlarmTopic
    ) -> None:
        settings = stage.queues[name]
        self.dead_letters = DeadLetterQueue(
            scope, f"{construct_id}DeadLetters", stage=stage, name=name, alarms=alarms
        )
        super().__init__(
            scope,
            construct_id,
            queue_name=Names(stage.name).queue(name),
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(settings.visibility_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=settings.max_receives
            ),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        alarms.alarm_when(
            self,
            "Age",
            f"{name}-age",
            self.metric_approximate_age_of_oldest_message(period=ONE_MINUTE, statistic="Maximum"),
            above=settings.age_alarm_seconds,
            evaluation_periods=3,
            description=f"The consumer of {name} does not keep up, or keeps failing.",
        )
