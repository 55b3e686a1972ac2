"""The public HTTP API: merchants' requests and the PSPs' events, throttled and logged."""

import json

import jsii
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.components.alarm_topic import ONE_MINUTE, AlarmTopic
from infra.components.findings import SOLUTIONS, accept
from infra.components.log_group import LogGroup
from infra.names import Names
from infra.stages import Stage

# No header, no query and no body, so neither API keys nor card data; the path carries ids and, in
# look-ups, idempotency keys.
ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integrationLatency",
    "integrationStatus": "$context.integrationStatus",
    "error": "$context.error.message",
    "integrationError": "$context.integrationErrorMessage",
    "sourceIp": "$context.identity.sourceIp",
}


@jsii.implements(apigateway.IAccessLogSettings)
class JsonAccessLog:
    """One line of JSON for each request; CDK's own default is the common log format."""

    def __init__(self, log_group: LogGroup) -> None:
        self._log_group = log_group

    @property
    def destination(self) -> apigateway.IAccessLogDestination:
        """The log group."""
        return apigateway.LogGroupLogDestination(self._log_group)

    @property
    def format(self) -> rest.AccessLogFormat:
        """The fields, as API Gateway's template."""
        return rest.AccessLogFormat.custom(json.dumps(ACCESS_LOG_FIELDS))


GATEWAY_WEBHOOKS_PATH = "/api/v1/gateways/{gateway}/webhooks"


class HttpApi(apigateway.HttpApi):
    """An HTTP API with payload format 2.0: one function for all paths but that of the PSPs' events.

    So a flood of the one never takes the other's workers, and each may do only its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        function: lambda_.IFunction,
        gateway_webhooks: lambda_.IFunction,
        alarms: AlarmTopic,
    ) -> None:
        names = Names(stage.name)
        super().__init__(
            scope,
            construct_id,
            api_name=names.prefix,
            create_default_stage=False,
            default_integration=HttpLambdaIntegration("Function", function),
        )
        self.add_routes(
            path=GATEWAY_WEBHOOKS_PATH,
            methods=[apigateway.HttpMethod.POST],
            integration=HttpLambdaIntegration("GatewayWebhooks", gateway_webhooks),
        )
        log_group = LogGroup(self, "AccessLogs", stage=stage, name=names.access_log_group)
        self.entry = self.add_stage(
            "Entry",
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=stage.throttle.rate, burst_limit=stage.throttle.burst
            ),
            access_log_settings=JsonAccessLog(log_group),
        )
        self._add_alarms(stage, alarms)
        accept(
            self,
            "The functions check the merchant's API key, or the PSP's signature, before anything "
            "else; health and the documentation are public, and HTTP APIs have no API keys.",
            f"{SOLUTIONS}APIG4",
        )

    def _add_alarms(self, stage: Stage, alarms: AlarmTopic) -> None:
        alarms.alarm_when(
            self,
            "ServerErrors",
            "api-5xx",
            self.metric_server_error(period=ONE_MINUTE, statistic="Sum"),
            above=0,
            evaluation_periods=5,
            description="Merchants were answered 5xx for five minutes in a row, 503 included.",
        )
        alarms.alarm_when(
            self,
            "Latency",
            "api-p99",
            self.metric_latency(period=ONE_MINUTE, statistic="p99"),
            above=stage.api_p99_alarm_ms,
            evaluation_periods=5,
            description=f"One request in a hundred takes over {stage.api_p99_alarm_ms} ms.",
        )
