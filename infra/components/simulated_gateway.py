"""The simulated gateway as the other functions see it, wherever the stage has it."""

from aws_cdk import CfnOutput, CfnParameter
from constructs import Construct

from infra.components.gateway_secret import GatewaySecret
from infra.components.http_api import HttpApi
from infra.components.python_function import FunctionPlatform, PythonFunction
from infra.components.simulator import SimulatorFunction
from infra.components.table import Table
from infra.names import SIMULATOR, Names
from infra.stages import SimulatorPlace


class SimulatedGateway:
    """Its address, how it is called and how its events are verified; empty where there is none."""

    def __init__(
        self,
        scope: Construct,
        *,
        platform: FunctionPlatform,
        table: Table | None,
        secret: GatewaySecret | None,
    ) -> None:
        self._scope, self._place, self._secret = scope, platform.stage.simulator, secret
        self._function: SimulatorFunction | None = None
        if table is not None and secret is not None:
            self._function = SimulatorFunction(
                scope, "Simulator", platform=platform, table=table, secret=secret
            )
            CfnOutput(scope, "SimulatorUrl", value=self._function.url)
        url = self._function.url if self._function else self._url_parameter()
        self.address = {} if url is None else {"RIEL_SIMULATOR_URL": url}
        """Where it is."""
        self.authentication = {"RIEL_SIMULATOR_AUTH": "iam"} if self._function else {}
        """How a call is signed."""
        name = Names(platform.stage.name).secret(SIMULATOR)
        self.secret_name = {} if secret is None else {"RIEL_SIMULATOR_SECRET": name}
        """Where the secret is by which it signs its events."""

    def let_call(self, function: PythonFunction) -> None:
        """Allow calling it."""
        if self._function is not None:
            self._function.grant_invoke_url(function)

    def let_verify(self, function: PythonFunction) -> None:
        """Allow reading its secret."""
        if self._secret is not None:
            self._secret.grant_values_to(function)

    def find_public_url(self, http_api: HttpApi) -> str:
        """Where its events reach us; on the engine the API is served on a port of its own."""
        if self._place is not SimulatorPlace.PARAMETER:
            return http_api.api_endpoint
        return self._parameter(
            "PublicUrl", "Base URL at which a gateway reaches us; empty: it sends no events."
        )

    def _url_parameter(self) -> str | None:
        if self._place is not SimulatorPlace.PARAMETER:
            return None
        return self._parameter(
            "SimulatorUrl", "Base URL of the simulated gateway; empty: no gateway is configured."
        )

    def _parameter(self, name: str, description: str) -> str:
        parameter = CfnParameter(self._scope, name, default="", description=description)
        return parameter.value_as_string
