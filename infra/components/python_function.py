"""A Lambda function with its log group, its role and its alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundles import Bundles
from infra.components.alarm_topic import ONE_MINUTE, AlarmTopic
from infra.components.findings import SERVERLESS, SOLUTIONS, accept
from infra.components.log_group import LogGroup
from infra.names import Names, package
from infra.stages import Stage

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


@dataclass(frozen=True)
class FunctionPlatform:
    """What all functions of a stage share."""

    stage: Stage
    bundles: Bundles
    layers: Sequence[lambda_.ILayerVersion]
    alarms: AlarmTopic


class PythonFunction(lambda_.Function):
    """Runs ``functions.<package>.handler.handler`` from a bundle of ours.

    ``sends_to_itself`` is for one that puts messages on its own queue: Lambda takes about sixteen
    such rounds for a runaway loop and stops them, while ours count their rounds themselves.
    ``runs_by_clock`` is for one that a schedule invokes: its next run makes up for a failed one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        platform: FunctionPlatform,
        name: str,
        environment: Mapping[str, str],
        sends_to_itself: bool = False,
        runs_by_clock: bool = False,
    ) -> None:
        stage = platform.stage
        names, settings = Names(stage.name), stage.functions[name]
        log_group = LogGroup(scope, f"{construct_id}Logs", stage=stage, name=names.log_group(name))
        # CDK's default role carries an AWS managed policy that may write to every log group.
        self.execution_role = iam.Role(
            scope,
            f"{construct_id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group.grant_write(self.execution_role)
        super().__init__(
            scope,
            construct_id,
            function_name=names.function(name),
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"functions.{package(name)}.handler.handler",
            code=lambda_.Code.from_asset(str(platform.bundles.functions[name])),
            layers=list(platform.layers),
            role=self.execution_role,
            timeout=Duration.seconds(settings.timeout_seconds),
            memory_size=settings.memory_mb,
            environment={
                "RIEL_STAGE": stage.name,
                "POWERTOOLS_SERVICE_NAME": names.function(name),
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                **environment,
            },
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel(stage.log_level),
            system_log_level_v2=lambda_.SystemLogLevel(stage.system_log_level),
            tracing=lambda_.Tracing.ACTIVE if stage.active_tracing else lambda_.Tracing.DISABLED,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if sends_to_itself else None,
        )
        if runs_by_clock:
            self._run_once_for_each_tick()
        self._add_alarms(name, platform.alarms)
        self._accept_findings(stage)

    def _run_once_for_each_tick(self) -> None:
        """Lambda would run a failed asynchronous event twice more, beside the ticks that follow."""
        self.configure_async_invoke(retry_attempts=0, max_event_age=ONE_MINUTE)
        accept(
            self,
            "Its event says only that a minute has passed: the next one makes up for it, and an "
            "alarm tells when none succeeds.",
            f"{SERVERLESS}LambdaAsyncFailureDestination",
        )

    def _add_alarms(self, name: str, alarms: AlarmTopic) -> None:
        alarms.alarm_when(
            self,
            "Errors",
            f"{name}-errors",
            self.metric_errors(period=ONE_MINUTE),
            above=0,
            description=f"{name} failed as a whole; a single bad record does not do that.",
        )
        alarms.alarm_when(
            self,
            "Throttles",
            f"{name}-throttles",
            self.metric_throttles(period=ONE_MINUTE),
            above=0,
            evaluation_periods=3,
            description=f"{name} meets the account's concurrency limit.",
        )

    def _accept_findings(self, stage: Stage) -> None:
        accept(
            self,
            "Python 3.13 is supported until 2029, and the byte code of the layers is made for it.",
            f"{SOLUTIONS}L1",
            f"{SERVERLESS}LambdaLatestVersion",
        )
        accept(
            self,
            "Failures of its queue or stream have a DLQ there, and a clock's tick is worth none.",
            f"{SERVERLESS}LambdaDLQ",
        )
        if stage.active_tracing:
            accept(
                self.execution_role,
                "X-Ray takes segments from any function: its actions have no resources.",
                f"{SOLUTIONS}IAM5[Resource::*]",
            )
        else:
            accept(self, "The embedded engine has no X-Ray.", f"{SERVERLESS}LambdaTracing")
