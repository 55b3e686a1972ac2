"""The simulated gateway as a Lambda function behind its own signed URL."""

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.components.gateway_secret import GatewaySecret
from infra.components.python_function import FunctionPlatform, PythonFunction
from infra.components.table import WRITE, Table
from infra.names import SIMULATOR, Names


class SimulatorFunction(PythonFunction):
    """Answers only callers with permission; `url` is its base URL, which ends in a slash."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        platform: FunctionPlatform,
        table: Table,
        secret: GatewaySecret,
    ) -> None:
        stage = platform.stage
        settings = stage.simulator_settings
        if settings is None:
            raise ValueError(f"stage {stage.name} deploys the simulator without settings for it")
        super().__init__(
            scope,
            construct_id,
            platform=platform,
            name=SIMULATOR,
            environment={
                "RIEL_SIMULATOR_TABLE": Names(stage.name).table(SIMULATOR),
                "RIEL_SIMULATOR_SECRET": Names(stage.name).secret(SIMULATOR),
                "RIEL_SIMULATOR_LATENCY": settings.latency_seconds,
                "RIEL_SIMULATOR_SUCCESS_RATE": settings.success_rate,
            },
        )
        # The list of all charges is a scan: the table is a test's, and small.
        table.grant_items(self, "dynamodb:GetItem", "dynamodb:Scan", *WRITE)
        secret.grant_values_to(self)
        self.url = self.add_function_url(auth_type=lambda_.FunctionUrlAuthType.AWS_IAM).url
