"""What a deployment may replace: the API, the functions, the queues between them, the alarms."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from infra.bundles import Bundles
from infra.components.alarm_topic import AlarmTopic
from infra.components.dashboard import Dashboard
from infra.components.environment import Environment
from infra.components.every_minute import EveryMinute
from infra.components.findings import SERVERLESS, accept
from infra.components.http_api import HttpApi
from infra.components.layers import bundle_layers
from infra.components.payment_alarms import PaymentAlarms
from infra.components.python_function import FunctionPlatform, PythonFunction
from infra.components.simulated_gateway import SimulatedGateway
from infra.components.stream_relay import StreamRelay
from infra.components.table import READ, STORED_ANSWERS, WRITE
from infra.components.work_queue import DeadLetterQueue, WorkQueue
from infra.stacks.stateful import StatefulStack
from infra.stages import PAYMENTS_QUEUE, RELAY, Stage

QUEUE_BATCH_SIZE = 10


class StatelessStack(Stack):
    """HTTP API -> api -> (outbox stream) -> outbox relay -> queues -> processor, webhook sender.

    A gateway's events come by gateway webhooks and their queue to the processor, and the sweeper
    sends again what got stuck on either way. Read `__init__` for the flow; each method below is one
    hop with its settings and permissions.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        tables: StatefulStack,
        bundles: Bundles,
        **options: Any,
    ) -> None:
        super().__init__(scope, construct_id, **options)
        self._stage, self._tables = stage, tables
        self._alarms = AlarmTopic(self, "Alarms", stage=stage)
        layers = bundle_layers(self, stage, bundles)
        self._platform = FunctionPlatform(stage, bundles, layers, self._alarms)
        self._queues = {name: self._queue(name) for name in stage.queues}
        self._environment = Environment(stage, self._queues)
        self._gateway = SimulatedGateway(
            self, platform=self._platform, table=tables.simulator, secret=tables.simulator_secret
        )

        relay_dead_letters = DeadLetterQueue(
            self, "OutboxRelayDeadLetters", stage=stage, name=RELAY, alarms=self._alarms
        )
        api, gateway_webhooks = self._api(), self._gateway_webhooks()
        http_api = HttpApi(
            self,
            "HttpApi",
            stage=stage,
            function=api,
            gateway_webhooks=gateway_webhooks,
            alarms=self._alarms,
        )
        relay = self._relay(relay_dead_letters)
        processor, sender = self._processor(http_api), self._webhook_sender()
        sweeper = self._sweeper()

        PaymentAlarms(self, "PaymentAlarms", stage=stage, alarms=self._alarms)
        Dashboard(
            self,
            "Dashboard",
            stage=stage,
            http_api=http_api,
            functions=(api, gateway_webhooks, relay, processor, sender, sweeper),
            queues=tuple(self._queues.values()),
            relay=relay,
            relay_dead_letters=relay_dead_letters,
        )
        CfnOutput(self, "ApiUrl", value=http_api.api_endpoint)
        CfnOutput(self, "ApiId", value=http_api.api_id)
        CfnOutput(self, "AlarmTopicArn", value=self._alarms.topic_arn)

    def _api(self) -> PythonFunction:
        """Takes and shows payments: one transaction over the payment and its outbox record."""
        of = self._environment
        workers = self._stage.queues[PAYMENTS_QUEUE].max_concurrency
        function = self._function(
            "Api",
            "api",
            {
                **of.tables("payments", "outbox", "merchants", "idempotency", "limits"),
                **of.queues("webhooks"),
                **of.back_pressure(QUEUE_BATCH_SIZE * workers),
                **of.routes(),
                **of.webhook_rules(),
                **self._gateway.address,
            },
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        self._tables.payments.grant_index_query(function, "listing")
        self._tables.outbox.grant_items(function, "dynamodb:PutItem")
        self._tables.merchants.grant_items(function, "dynamodb:GetItem")
        self._tables.idempotency.grant_items(function, *STORED_ANSWERS)
        self._tables.limits.grant_items(function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        # A merchant asks for a webhook again.
        self._send(function, "webhooks")
        return function

    def _gateway_webhooks(self) -> PythonFunction:
        """Takes a gateway's event: verifies it, stores it once, and has the processor look."""
        of = self._environment
        function = self._function(
            "GatewayWebhooks",
            "gateway-webhooks",
            {**of.tables("payments"), **of.queues("gateway-events"), **self._gateway.secret_name},
        )
        self._tables.payments.grant_items(
            function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"
        )
        self._send(function, "gateway-events")
        self._gateway.let_verify(function)
        return function

    def _relay(self, dead_letters: DeadLetterQueue) -> PythonFunction:
        """Moves events from the outbox's stream to the queues of those that act on them."""
        of = self._environment
        function = self._function(
            "OutboxRelay", RELAY, {**of.payments_queues(), **of.queues("webhooks")}
        )
        self._send(function, *self._stage.payments_queues, "webhooks")
        StreamRelay(
            self,
            "OutboxStream",
            stage=self._stage,
            name=RELAY,
            table=self._tables.outbox,
            function=function,
            on_failure=dead_letters,
            alarms=self._alarms,
        )
        return function

    def _processor(self, http_api: HttpApi) -> PythonFunction:
        """Claims a payment or a refund, calls the gateway, records the outcome."""
        of = self._environment
        function = self._function(
            "Processor",
            "processor",
            {
                **of.tables("payments", "outbox", "merchants", "limits"),
                **of.payments_queues(),
                **of.queues("gateway-events"),
                **of.routes(),
                **of.gateway_rules(),
                **self._gateway.address,
                **self._gateway.authentication,
                "RIEL_EVENTS_BASE_URL": self._gateway.find_public_url(http_api),
            },
            sends_to_itself=True,
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        self._tables.outbox.grant_items(function, "dynamodb:PutItem")
        # Only the kill switches, which say where a payment may fall back to.
        self._tables.merchants.grant_items(function, "dynamodb:GetItem")
        self._tables.limits.grant_items(function, "dynamodb:UpdateItem")
        self._send(function, *self._stage.payments_queues, "gateway-events")
        self._consume(function, "processor")
        self._gateway.let_call(function)
        return function

    def _webhook_sender(self) -> PythonFunction:
        """Tells merchants; what is out of attempts goes to the dead letters and stays visible."""
        of, webhooks = self._environment, self._queues["webhooks"]
        function = self._function(
            "WebhookSender",
            "webhook-sender",
            {
                **of.tables("payments", "outbox", "merchants", "limits"),
                **of.queues("webhooks"),
                "RIEL_WEBHOOKS_DLQ_URL": webhooks.dead_letters.queue_url,
                **of.webhook_retries(),
                **of.webhook_rules(),
                **of.webhook_key(),
            },
            sends_to_itself=True,
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        # A later attempt's body, as it was frozen.
        self._tables.outbox.grant_items(function, "dynamodb:GetItem")
        self._tables.merchants.grant_items(function, "dynamodb:GetItem")
        # Which hosts answer.
        self._tables.limits.grant_items(function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        self._tables.webhook_key.grant_open_to(function)
        self._send(function, "webhooks")
        webhooks.dead_letters.grant_send_messages(function)
        self._consume(function, "webhook-sender")
        return function

    def _sweeper(self) -> PythonFunction:
        """Every minute: sends what is due, and publishes again what the relay may have lost."""
        of = self._environment
        function = self._function(
            "Sweeper",
            "sweeper",
            {
                **of.tables("payments", "outbox", "limits"),
                **of.payments_queues(),
                **of.queues("gateway-events", "webhooks"),
                **of.sweeper_rules(),
            },
            runs_by_clock=True,
        )
        self._tables.payments.grant_items(function, *READ, "dynamodb:UpdateItem")
        self._tables.payments.grant_index_query(function, "due")
        self._tables.outbox.grant_items(function, "dynamodb:Query")
        self._tables.limits.grant_items(
            function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"
        )
        self._send(function, *self._queues)
        EveryMinute(self, "EveryMinute", stage=self._stage, name="sweeper", function=function)
        return function

    def _queue(self, name: str) -> WorkQueue:
        construct_id = name.title().replace("-", "") + "Queue"
        return WorkQueue(self, construct_id, stage=self._stage, name=name, alarms=self._alarms)

    def _function(
        self, construct_id: str, name: str, environment: Mapping[str, str], **options: bool
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            platform=self._platform,
            name=name,
            environment=environment,
            **options,
        )

    def _send(self, function: PythonFunction, *queues: str) -> None:
        """Allow sending to these queues."""
        for name in queues:
            self._queues[name].grant_send_messages(function)

    def _consume(self, function: PythonFunction, name: str) -> None:
        """Read each queue that the stage gives to the function, each within a limit of its own."""
        for queue, settings in self._stage.queues.items():
            if settings.consumer == name:
                function.add_event_source(
                    SqsEventSource(
                        self._queues[queue],
                        batch_size=QUEUE_BATCH_SIZE,
                        report_batch_item_failures=True,
                        max_concurrency=settings.max_concurrency,
                    )
                )
        accept(
            function,
            "A queue's failed messages go to its dead-letter queue by the queue's own redrive.",
            f"{SERVERLESS}LambdaEventSourceMappingDestination",
        )
