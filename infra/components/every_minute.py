"""A schedule that starts a function once a minute."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from infra.components.python_function import PythonFunction
from infra.names import Names
from infra.stages import Stage


class EveryMinute(Construct):
    """Invokes one function, by a role that may do nothing else and that this account alone uses.

    A tick that can not be delivered is dropped: a late one would only run beside its successor.
    So there is no dead-letter queue; what does not run is told by the function's own lag alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        name: str,
        function: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn]
            )
        )
        scheduler.Schedule(
            self,
            "Schedule",
            schedule_name=Names(stage.name).schedule(name),
            description=f"Starts {name} once a minute",
            schedule=scheduler.ScheduleExpression.rate(Duration.minutes(1)),
            target=LambdaInvoke(
                function,
                # As it stands: CDK's own grant would add every version of the function.
                role=role.without_policy_updates(),
                input=scheduler.ScheduleTargetInput.from_object({}),
                retry_attempts=0,
                max_event_age=Duration.minutes(1),
            ),
        )
