"""A stage is data: everything in which local, dev and prod differ stands in this file.

Imported by the CDK app and by the command line alike, so it needs nothing but the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from infra.stage_settings import (
    FunctionSettings,
    GatewaySettings,
    QueueSettings,
    SimulatorSettings,
    StreamSettings,
    SweeperSettings,
    Throttle,
)

PAYMENTS_QUEUE: Final = "payments"
STANDBY_QUEUE: Final = f"{PAYMENTS_QUEUE}-standby"
RELAY: Final = "outbox-relay"


class SimulatorPlace(Enum):
    """Where the simulated gateway of a stage runs."""

    NONE = "none"
    """No gateway is configured: payments are refused with ``method_unavailable``."""

    FUNCTION = "function"
    """A Lambda function of the stage, called through its IAM-signed function URL."""

    PARAMETER = "parameter"
    """Outside of the stack: whoever deploys passes its URL as ``SimulatorUrl``."""


@dataclass(frozen=True)
class Stage:
    """One deployment of Riel; the fields with defaults are what the stages seldom differ in.

    `system_log_level` is that of Lambda's own lines (START, END, REPORT), `log_level` that of ours;
    metrics travel as INFO lines, so a higher `log_level` would drop them.
    `merchant_limits` is what a new merchant gets; `max_backlog_seconds` is how long the payments
    that wait for a gateway may take to drain before new ones for it are refused.
    `webhook_retry_seconds` are the waits between a webhook's attempts; where one is longer than SQS
    can delay, the sweeper brings the next attempt.
    `protects_data` keeps tables and stacks from being deleted, by hand or by a deployment.
    """

    name: str
    functions: Mapping[str, FunctionSettings]
    queues: Mapping[str, QueueSettings]
    stream: StreamSettings
    throttle: Throttle
    merchant_limits: Throttle
    max_backlog_seconds: int
    lease_seconds: int
    gateways: GatewaySettings
    sweeper: SweeperSettings
    webhook_retry_seconds: tuple[int, ...]
    simulator: SimulatorPlace
    api_p99_alarm_ms: int
    log_retention_days: int
    simulator_settings: SimulatorSettings | None = None
    system_log_level: str = "INFO"
    log_level: str = "INFO"
    alarm_emails: tuple[str, ...] = ()
    protects_data: bool = False
    loopback_webhooks: bool = False
    active_tracing: bool = True
    dependencies_layer: bool = True
    byte_code: bool = True

    @property
    def dead_letter_queues(self) -> tuple[str, ...]:
        """Short names of what can leave dead letters: each queue, and the relay of the stream."""
        return (*self.queues, RELAY)

    @property
    def payments_queues(self) -> tuple[str, ...]:
        """Short names of the queues of payments: that of all gateways without one, then the own."""
        return (PAYMENTS_QUEUE, *self.gateway_queues.values())

    @property
    def gateway_queues(self) -> Mapping[str, str]:
        """The payments queues of the gateways that have one of their own, by gateway."""
        own = f"{PAYMENTS_QUEUE}-"
        return {name.removeprefix(own): name for name in self.queues if name.startswith(own)}


_FUNCTIONS: Final = MappingProxyType(
    {
        "api": FunctionSettings(timeout_seconds=15, memory_mb=1024),
        "gateway-webhooks": FunctionSettings(timeout_seconds=15, memory_mb=512),
        RELAY: FunctionSettings(timeout_seconds=30, memory_mb=512),
        "processor": FunctionSettings(timeout_seconds=60, memory_mb=512),
        # Ends before the next minute begins another.
        "sweeper": FunctionSettings(timeout_seconds=55, memory_mb=512),
        "webhook-sender": FunctionSettings(timeout_seconds=60, memory_mb=512),
        "simulator": FunctionSettings(timeout_seconds=30, memory_mb=512),
    }
)

_SIMULATED_ROUTES: Final = "card=simulator>standby;oxxo=simulator;spei=simulator"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

_GATEWAYS: Final = GatewaySettings(
    # No gateway until one is configured: the API answers 503 method_unavailable.
    routes="",
    timeout_seconds=25,
    # Waits are delayed copies of a message, and SQS delays by 900 seconds at most.
    retry_seconds=(1, 5, 15, 60, 300),
    look_up_seconds=(5, 15, 40, 5 * _MINUTE, _HOUR, 6 * _HOUR, _DAY),
    soft_decline_retry_seconds=(60, 600),
    fallback_after_waits=3,
    expiry_grace_seconds=_HOUR,
    unmatched_event_seconds=(_MINUTE, 5 * _MINUTE, _HOUR, 6 * _HOUR, _DAY),
    breaker_failures=5,
    breaker_seconds=15,
)
_SWEEPER: Final = SweeperSettings(ages_seconds=(5 * _MINUTE, _HOUR), lag_alarm_seconds=900)
# Seconds while it may be a restart, then minutes, then hours: together three days.
_WEBHOOK_RETRIES: Final = (
    *(1, 2, 4, _MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 20, 25)),
)

_STREAM: Final = StreamSettings(
    window_seconds=0,
    retry_attempts=5,
    max_record_age_seconds=6 * 3600,
    iterator_age_alarm_seconds=60,
)


def _queues(max_concurrency: int, *, standby: bool = False) -> Mapping[str, QueueSettings]:
    """The queues on AWS, as QueueSettings says that they have to be there."""
    consumers = (
        (PAYMENTS_QUEUE, "processor", 300),
        # A gateway that is slow or down holds up nobody but the payments of its own queue.
        *([(STANDBY_QUEUE, "processor", 300)] if standby else []),
        ("gateway-events", "processor", 300),
        # Longer than a copy can wait in it, for its endpoint's next attempt.
        ("webhooks", "webhook-sender", 1800),
    )
    return MappingProxyType(
        {
            name: QueueSettings(
                consumer=consumer,
                visibility_seconds=6 * _FUNCTIONS[consumer].timeout_seconds,
                max_receives=5,
                max_concurrency=max_concurrency,
                age_alarm_seconds=age_alarm_seconds,
            )
            for name, consumer, age_alarm_seconds in consumers
        }
    )


def _local_queue(
    consumer: str, visibility_seconds: int, max_concurrency: int, age_alarm_seconds: int = 60
) -> QueueSettings:
    """Below AWS's advice on purpose: poison is to reach its dead letters while a person watches.

    The engine neither throttles nor scales, so no receive is wasted.
    """
    return QueueSettings(
        consumer=consumer,
        visibility_seconds=visibility_seconds,
        max_receives=3,
        max_concurrency=max_concurrency,
        age_alarm_seconds=age_alarm_seconds,
    )


LOCAL: Final = Stage(
    name="local",
    functions=MappingProxyType(
        {
            "api": FunctionSettings(timeout_seconds=15, memory_mb=512),
            "gateway-webhooks": FunctionSettings(timeout_seconds=10, memory_mb=512),
            RELAY: FunctionSettings(timeout_seconds=15, memory_mb=512),
            "processor": FunctionSettings(timeout_seconds=20, memory_mb=512),
            "sweeper": FunctionSettings(timeout_seconds=30, memory_mb=512),
            "webhook-sender": FunctionSettings(timeout_seconds=25, memory_mb=512),
        }
    ),
    queues=MappingProxyType(
        {
            PAYMENTS_QUEUE: _local_queue("processor", visibility_seconds=25, max_concurrency=4),
            STANDBY_QUEUE: _local_queue("processor", visibility_seconds=25, max_concurrency=2),
            "gateway-events": _local_queue("processor", visibility_seconds=25, max_concurrency=2),
            # A webhook may wait in it for its slow endpoint's next attempt.
            "webhooks": _local_queue(
                "webhook-sender", visibility_seconds=30, max_concurrency=8, age_alarm_seconds=300
            ),
        }
    ),
    stream=StreamSettings(
        window_seconds=0,
        retry_attempts=3,
        max_record_age_seconds=3600,
        iterator_age_alarm_seconds=60,
    ),
    throttle=Throttle(rate=2000, burst=2000),
    merchant_limits=Throttle(rate=2000, burst=10_000),
    max_backlog_seconds=600,
    lease_seconds=21,
    gateways=GatewaySettings(
        routes=_SIMULATED_ROUTES,
        timeout_seconds=8,
        retry_seconds=(1, 2, 4, 8),
        look_up_seconds=(2, 4, 8),
        soft_decline_retry_seconds=(2, 4),
        fallback_after_waits=3,
        expiry_grace_seconds=2,
        unmatched_event_seconds=(5, 10, 30),
        breaker_failures=5,
        breaker_seconds=3,
    ),
    sweeper=SweeperSettings(ages_seconds=(30, 120), lag_alarm_seconds=300),
    webhook_retry_seconds=(1, 2, 4, 8),
    # The simulator is a process of its own on loopback, as a real gateway would be.
    simulator=SimulatorPlace.PARAMETER,
    api_p99_alarm_ms=3000,
    log_retention_days=1,
    loopback_webhooks=True,
    # What the embedded engine has not got: X-Ray, and any interpreter but its own, on its own
    # architecture. An arm64 layer would make every worker fail at import, so packages come from
    # the environment that the engine runs in.
    active_tracing=False,
    dependencies_layer=False,
    byte_code=False,
)

DEV: Final = Stage(
    name="dev",
    functions=_FUNCTIONS,
    queues=_queues(max_concurrency=5, standby=True),
    stream=_STREAM,
    throttle=Throttle(rate=500, burst=1000),
    merchant_limits=Throttle(rate=50, burst=100),
    max_backlog_seconds=300,
    lease_seconds=70,
    gateways=replace(_GATEWAYS, routes=_SIMULATED_ROUTES),
    sweeper=_SWEEPER,
    webhook_retry_seconds=_WEBHOOK_RETRIES,
    simulator=SimulatorPlace.FUNCTION,
    simulator_settings=SimulatorSettings(latency_seconds="2-5", success_rate="0.9"),
    api_p99_alarm_ms=3000,
    log_retention_days=14,
)

PROD: Final = Stage(
    name="prod",
    functions=MappingProxyType({n: s for n, s in _FUNCTIONS.items() if n != "simulator"}),
    queues=_queues(max_concurrency=50),
    stream=_STREAM,
    # Before any merchant's own limit, and shared by all: half of what an account has by default.
    throttle=Throttle(rate=5000, burst=5000),
    merchant_limits=Throttle(rate=100, burst=500),
    max_backlog_seconds=300,
    lease_seconds=70,
    gateways=_GATEWAYS,
    sweeper=_SWEEPER,
    webhook_retry_seconds=_WEBHOOK_RETRIES,
    simulator=SimulatorPlace.NONE,
    api_p99_alarm_ms=1000,
    log_retention_days=90,
    # Lambda's START, END and REPORT lines cost more than the compute that they describe.
    system_log_level="WARN",
    # Who is told when an alarm fires; each address confirms its subscription once.
    alarm_emails=(),
    protects_data=True,
)

STAGES: Final[Mapping[str, Stage]] = MappingProxyType(
    {stage.name: stage for stage in (LOCAL, DEV, PROD)}
)


class UnknownStageError(ValueError):
    """No stage has this name; the message lists those that exist."""


def stage_named(name: str) -> Stage:
    """The stage of that name; raises `UnknownStageError`."""
    try:
        return STAGES[name]
    except KeyError:
        known = ", ".join(STAGES)
        raise UnknownStageError(f"there is no stage {name!r}: choose one of {known}") from None
