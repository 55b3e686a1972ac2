"""What a deployment may replace: the API, the functions, the queues between them, the alarms."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, CfnParameter, Stack
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from infra.bundles import Bundles
from infra.components.alarm_topic import AlarmTopic
from infra.components.dashboard import Dashboard
from infra.components.findings import SERVERLESS, accept
from infra.components.http_api import HttpApi
from infra.components.layers import bundle_layers
from infra.components.payment_alarms import PaymentAlarms
from infra.components.python_function import FunctionPlatform, PythonFunction
from infra.components.simulator import SimulatorFunction
from infra.components.stream_relay import StreamRelay
from infra.components.table import READ, STORED_ANSWERS, WRITE
from infra.components.work_queue import DeadLetterQueue, WorkQueue
from infra.names import Names
from infra.stacks.stateful import StatefulStack
from infra.stages import SimulatorPlace, Stage

QUEUE_BATCH_SIZE = 10


class StatelessStack(Stack):
    """HTTP API -> api -> (outbox stream) -> outbox relay -> queues -> processor, webhook sender.

    Read `__init__` for the flow; each method below is one hop with its settings and permissions.
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
        self._stage, self._names = stage, Names(stage.name)
        self._tables = tables
        self._alarms = AlarmTopic(self, "Alarms", stage=stage)
        layers = bundle_layers(self, stage, bundles)
        self._platform = FunctionPlatform(stage, bundles, layers, self._alarms)
        self._simulator = self._make_simulator()
        self._simulator_url = self._find_simulator_url()

        payments = self._queue("Payments", "payments")
        webhooks = self._queue("Webhooks", "webhooks")
        relay_dead_letters = DeadLetterQueue(
            self, "OutboxRelayDeadLetters", stage=stage, name="outbox-relay", alarms=self._alarms
        )
        api = self._api()
        relay = self._relay(payments, webhooks, relay_dead_letters)
        processor = self._processor(payments)
        sender = self._webhook_sender(webhooks)

        http_api = HttpApi(self, "HttpApi", stage=stage, function=api, alarms=self._alarms)
        PaymentAlarms(self, "PaymentAlarms", stage=stage, alarms=self._alarms)
        Dashboard(
            self,
            "Dashboard",
            stage=stage,
            http_api=http_api,
            functions=(api, relay, processor, sender),
            queues=(payments, webhooks),
            relay=relay,
            relay_dead_letters=relay_dead_letters,
        )
        CfnOutput(self, "ApiUrl", value=http_api.api_endpoint)
        CfnOutput(self, "ApiId", value=http_api.api_id)
        CfnOutput(self, "AlarmTopicArn", value=self._alarms.topic_arn)
        if self._simulator is not None:
            CfnOutput(self, "SimulatorUrl", value=self._simulator.url)

    def _api(self) -> PythonFunction:
        """Takes and shows payments: one transaction over the payment and its outbox record."""
        workers = self._stage.queues["payments"].max_concurrency
        function = self._function(
            "Api",
            "api",
            {
                "RIEL_PAYMENTS_TABLE": self._names.table("payments"),
                "RIEL_OUTBOX_TABLE": self._names.table("outbox"),
                "RIEL_MERCHANTS_TABLE": self._names.table("merchants"),
                "RIEL_IDEMPOTENCY_TABLE": self._names.table("idempotency"),
                "RIEL_LIMITS_TABLE": self._names.table("limits"),
                "RIEL_PAYMENTS_PARALLEL": str(QUEUE_BATCH_SIZE * workers),
                "RIEL_MAX_BACKLOG_SECONDS": str(self._stage.max_backlog_seconds),
                **self._simulator_address(),
                **self._webhook_rules(),
            },
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        self._tables.payments.grant_index_query(function, "listing")
        self._tables.outbox.grant_items(function, "dynamodb:PutItem")
        self._tables.merchants.grant_items(function, "dynamodb:GetItem")
        self._tables.idempotency.grant_items(function, *STORED_ANSWERS)
        self._tables.limits.grant_items(function, "dynamodb:GetItem", "dynamodb:UpdateItem")
        return function

    def _relay(
        self, payments: WorkQueue, webhooks: WorkQueue, dead_letters: DeadLetterQueue
    ) -> PythonFunction:
        """Moves events from the outbox's stream to the queues of those that act on them."""
        function = self._function(
            "OutboxRelay",
            "outbox-relay",
            {
                "RIEL_PAYMENTS_QUEUE_URL": payments.queue_url,
                "RIEL_WEBHOOKS_QUEUE_URL": webhooks.queue_url,
            },
        )
        payments.grant_send_messages(function)
        webhooks.grant_send_messages(function)
        StreamRelay(
            self,
            "OutboxStream",
            stage=self._stage,
            name="outbox-relay",
            table=self._tables.outbox,
            function=function,
            on_failure=dead_letters,
            alarms=self._alarms,
        )
        return function

    def _processor(self, payments: WorkQueue) -> PythonFunction:
        """Claims a payment, calls the gateway, records the outcome."""
        stage = self._stage
        function = self._function(
            "Processor",
            "processor",
            {
                "RIEL_PAYMENTS_TABLE": self._names.table("payments"),
                "RIEL_OUTBOX_TABLE": self._names.table("outbox"),
                "RIEL_LIMITS_TABLE": self._names.table("limits"),
                "RIEL_PAYMENTS_QUEUE_URL": payments.queue_url,
                "RIEL_GATEWAY_TIMEOUT_SECONDS": str(stage.gateway_timeout_seconds),
                "RIEL_LEASE_SECONDS": str(stage.lease_seconds),
                "RIEL_PAYMENTS_MAX_RECEIVES": str(stage.queues["payments"].max_receives),
                "RIEL_GATEWAY_RETRY_SECONDS": _commas(stage.gateway_retry_seconds),
                **self._simulator_address(),
                **self._simulator_auth(),
            },
            sends_to_itself=True,
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        self._tables.outbox.grant_items(function, "dynamodb:PutItem")
        self._tables.limits.grant_items(function, "dynamodb:UpdateItem")
        payments.grant_send_messages(function)
        self._consume(function, payments, "payments")
        if self._simulator is not None:
            self._simulator.grant_invoke_url(function)
        return function

    def _webhook_sender(self, webhooks: WorkQueue) -> PythonFunction:
        """Tells merchants; what is out of attempts goes to the dead letters and stays visible."""
        function = self._function(
            "WebhookSender",
            "webhook-sender",
            {
                "RIEL_PAYMENTS_TABLE": self._names.table("payments"),
                "RIEL_MERCHANTS_TABLE": self._names.table("merchants"),
                "RIEL_WEBHOOKS_QUEUE_URL": webhooks.queue_url,
                "RIEL_WEBHOOKS_DLQ_URL": webhooks.dead_letters.queue_url,
                "RIEL_WEBHOOK_RETRY_SECONDS": _commas(self._stage.webhook_retry_seconds),
                **self._webhook_rules(),
            },
            sends_to_itself=True,
        )
        self._tables.payments.grant_items(function, *READ, *WRITE)
        self._tables.merchants.grant_items(function, "dynamodb:GetItem")
        webhooks.grant_send_messages(function)
        webhooks.dead_letters.grant_send_messages(function)
        self._consume(function, webhooks, "webhooks")
        return function

    def _queue(self, construct_id: str, name: str) -> WorkQueue:
        return WorkQueue(
            self, f"{construct_id}Queue", stage=self._stage, name=name, alarms=self._alarms
        )

    def _function(
        self,
        construct_id: str,
        name: str,
        environment: Mapping[str, str],
        *,
        sends_to_itself: bool = False,
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            platform=self._platform,
            name=name,
            environment=environment,
            sends_to_itself=sends_to_itself,
        )

    def _consume(self, function: PythonFunction, queue: WorkQueue, name: str) -> None:
        function.add_event_source(
            SqsEventSource(
                queue,
                batch_size=QUEUE_BATCH_SIZE,
                report_batch_item_failures=True,
                max_concurrency=self._stage.queues[name].max_concurrency,
            )
        )
        accept(
            function,
            "A queue's failed messages go to its dead-letter queue by the queue's own redrive.",
            f"{SERVERLESS}LambdaEventSourceMappingDestination",
        )

    def _make_simulator(self) -> SimulatorFunction | None:
        table = self._tables.simulator
        if table is None:
            return None
        return SimulatorFunction(self, "Simulator", platform=self._platform, table=table)

    def _find_simulator_url(self) -> str | None:
        if self._simulator is not None:
            return self._simulator.url
        if self._stage.simulator is SimulatorPlace.PARAMETER:
            parameter = CfnParameter(
                self,
                "SimulatorUrl",
                default="",
                description="Base URL of the simulated gateway; empty: no gateway is configured.",
            )
            return parameter.value_as_string
        return None

    def _simulator_address(self) -> dict[str, str]:
        return {} if self._simulator_url is None else {"RIEL_SIMULATOR_URL": self._simulator_url}

    def _simulator_auth(self) -> dict[str, str]:
        return {} if self._simulator is None else {"RIEL_SIMULATOR_AUTH": "iam"}

    def _webhook_rules(self) -> dict[str, str]:
        return {"RIEL_LOOPBACK_WEBHOOKS": "true"} if self._stage.loopback_webhooks else {}


def _commas(seconds: tuple[int, ...]) -> str:
    return ",".join(map(str, seconds))
