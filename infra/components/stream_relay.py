"""The event source mapping from a table's stream to a function, and what happens to bad records."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.components.alarm_topic import ONE_MINUTE, AlarmTopic
from infra.components.python_function import PythonFunction
from infra.components.table import Table
from infra.stages import Stage

BATCH_SIZE = 100

# New items only: an outbox item is never changed, and its removal by TTL is no news.
INSERTS_ONLY = lambda_.FilterCriteria.filter({"eventName": ["INSERT"]})


class StreamRelay(Construct):
    """Feeds a function from a stream so that one poison record never holds up the others.

    A failed batch is cut at the first failed record and halved until the culprit is alone; after
    finite retries its position goes to `on_failure` and the shard moves on.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        name: str,
        table: Table,
        function: PythonFunction,
        on_failure: sqs.IQueue,
        alarms: AlarmTopic,
    ) -> None:
        super().__init__(scope, construct_id)
        table.grant_stream_to(function)
        lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=function,
            event_source_arn=table.table_stream_arn,
            # From the oldest record: what is written while the mapping is being made counts.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            filters=[INSERTS_ONLY],
            batch_size=BATCH_SIZE,
            max_batching_window=Duration.seconds(stage.stream.window_seconds),
            bisect_batch_on_error=True,
            retry_attempts=stage.stream.retry_attempts,
            max_record_age=Duration.seconds(stage.stream.max_record_age_seconds),
            report_batch_item_failures=True,
            # One batch of 100 takes ten calls of SQS: a shard's 1,000 writes a second need no more.
            parallelization_factor=1,
            on_failure=sources.SqsDlq(on_failure),
        )
        alarms.alarm_when(
            self,
            "IteratorAge",
            f"{name}-iterator-age",
            function.metric("IteratorAge", period=ONE_MINUTE, statistic="Maximum"),
            above=stage.stream.iterator_age_alarm_seconds * 1000,
            evaluation_periods=3,
            description=f"{name} lags behind its stream, whose records live for 24 hours.",
        )
