"""One page that tells whether payments flow, how fast, and where they get stuck."""

from collections.abc import Callable, Mapping, Sequence

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.components.alarm_topic import ONE_MINUTE
from infra.components.work_queue import DeadLetterQueue, WorkQueue
from infra.names import Names
from infra.stages import Stage

HALF, THIRD = 12, 8

# What the functions count (riel.observability), by the function that counts it.
PAYMENT_METRICS = {
    "api": ("PaymentAccepted", "PaymentCanceled"),
    "processor": (
        "PaymentCompleted",
        "PaymentFailed",
        "PaymentAwaitingPayment",
        "PaymentExpired",
        "PaymentInReview",
        "PaymentStepDeferred",
        "OutcomeUnknown",
        "PaymentFellBack",
    ),
}
REFUND_METRICS = {
    "api": ("RefundAccepted",),
    "processor": ("RefundCompleted", "RefundFailed", "RefundInReview"),
}
GATEWAY_METRICS = {
    "gateway-webhooks": ("GatewayEventReceived", "GatewaySignatureInvalid"),
    "processor": ("GatewayEventProcessed", "GatewayEventUnmatched", "GatewayContradicted"),
}
SWEEPER_METRICS = {"sweeper": ("SweeperLagSeconds",)}
WEBHOOK_METRICS = {
    "webhook-sender": (
        "WebhookDelivered",
        "WebhookRetried",
        "WebhookPutOff",
        "WebhookDeadLettered",
        "WebhookNotSent",
        "WebhookHostDoubted",
        "WebhookMerchantDoubted",
        "WebhookEndpointStopped",
    )
}


class Dashboard(cloudwatch.Dashboard):
    """From the front door (top) to the dead letters (bottom)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        http_api: apigateway.HttpApi,
        functions: Sequence[lambda_.Function],
        queues: Sequence[WorkQueue],
        relay: lambda_.Function,
        relay_dead_letters: DeadLetterQueue,
    ) -> None:
        names = Names(stage.name)
        super().__init__(scope, construct_id, dashboard_name=names.prefix)
        self.add_widgets(*_front_door(http_api))
        self.add_widgets(
            _graph("Payments", _counts(names.function, PAYMENT_METRICS), width=HALF),
            _graph("Webhooks", _counts(names.function, WEBHOOK_METRICS), width=HALF),
        )
        self.add_widgets(
            _graph("Refunds", _counts(names.function, REFUND_METRICS)),
            _graph("Gateway events", _counts(names.function, GATEWAY_METRICS)),
            _graph("Sweeper lag", _counts(names.function, SWEEPER_METRICS, "Maximum")),
        )
        self.add_widgets(
            _graph("Invocations", [f.metric_invocations(period=ONE_MINUTE) for f in functions]),
            _graph("Failed", [f.metric_errors(period=ONE_MINUTE) for f in functions]),
            _graph(
                "Duration p99",
                [f.metric_duration(period=ONE_MINUTE, statistic="p99") for f in functions],
            ),
        )
        dead_letters = [*(q.dead_letters for q in queues), relay_dead_letters]
        self.add_widgets(
            _graph("Oldest message", [*map(_age, queues), _age_beside_the_noisy(names)]),
            _graph(
                "Stream lag",
                [relay.metric("IteratorAge", period=ONE_MINUTE, statistic="Maximum")],
            ),
            _graph(
                "Dead letters",
                [q.metric_approximate_number_of_messages_visible() for q in dead_letters],
            ),
        )


def _front_door(http_api: apigateway.HttpApi) -> list[cloudwatch.GraphWidget]:
    return [
        _graph(
            "Requests",
            [
                http_api.metric_count(period=ONE_MINUTE),
                http_api.metric_client_error(period=ONE_MINUTE),
                http_api.metric_server_error(period=ONE_MINUTE),
            ],
            width=HALF,
        ),
        _graph(
            "Latency",
            [
                http_api.metric_latency(period=ONE_MINUTE, statistic=statistic)
                for statistic in ("p50", "p99")
            ],
            width=HALF,
        ),
    ]


def _age(queue: WorkQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_age_of_oldest_message()


def _age_beside_the_noisy(names: Names) -> cloudwatch.Metric:
    """How long the webhooks of those merchants wait who are not the cause of a backlog."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name="ApproximateAgeOfOldestMessageInQuietGroups",
        dimensions_map={"QueueName": names.queue("webhooks")},
        statistic="Maximum",
        period=ONE_MINUTE,
    )


def _counts(
    full_name: Callable[[str], str],
    metrics: Mapping[str, Sequence[str]],
    statistic: str = "Sum",
) -> list[cloudwatch.Metric]:
    return [
        cloudwatch.Metric(
            namespace="Riel",
            metric_name=metric,
            dimensions_map={"service": full_name(function)},
            statistic=statistic,
            period=ONE_MINUTE,
        )
        for function, counted in metrics.items()
        for metric in counted
    ]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, width: int = THIRD
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=width)
