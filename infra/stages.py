"""A stage is data: everything in which local, dev and prod differ stands in this file.

Imported by the CDK app and by the command line alike, so it needs nothing but the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class SimulatorPlace(Enum):
    """Where the simulated gateway of a stage runs."""

    NONE = "none"
    """No gateway is configured: payments are refused with ``method_unavailable``."""

    FUNCTION = "function"
    """A Lambda function of the stage, called through its IAM-signed function URL."""

    PARAMETER = "parameter"
    """Outside of the stack: whoever deploys passes its URL as ``SimulatorUrl``."""


@dataclass(frozen=True)
class FunctionSettings:
    """Size of one function. Lambda gives CPU in proportion to memory: 1,769 MB is one core."""

    timeout_seconds: int
    memory_mb: int


@dataclass(frozen=True)
class QueueSettings:
    """How one work queue hands out its messages.

    ``visibility_seconds`` is at least six times its consumer's timeout on AWS and ``max_receives``
    at least five, because a throttled invocation counts as a receive. ``max_concurrency`` bounds
    the consumer's parallel batches of ten, so it is the load that the far side has to bear.
    """

    visibility_seconds: int
    max_receives: int
    max_concurrency: int
    age_alarm_seconds: int


@dataclass(frozen=True)
class StreamSettings:
    """How the outbox stream is read; the batch size is the mapping's own, 100.

    Retries are finite, because a record that can not be published would otherwise block its shard
    for a day. What is given up on goes to the dead-letter queue and still stands in the outbox.
    """

    window_seconds: int
    retry_attempts: int
    max_record_age_seconds: int
    iterator_age_alarm_seconds: int


@dataclass(frozen=True)
class Throttle:
    """Requests that the HTTP API lets through: a steady rate per second, and a burst on top."""

    rate: int
    burst: int


@dataclass(frozen=True)
class SimulatorSettings:
    """Behaviour of the simulated gateway where the stage deploys it."""

    latency_seconds: str
    success_rate: str


@dataclass(frozen=True)
class Stage:
    """One deployment of Riel; the fields with defaults are what the stages seldom differ in.

    `system_log_level` is that of Lambda's own lines (START, END, REPORT), `log_level` that of ours;
    metrics travel as INFO lines, so a higher `log_level` would drop them.
    `merchant_limits` is what a new merchant gets; `max_backlog_seconds` is how long the payments
    that wait for a gateway may take to drain before new ones for it are refused.
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
    gateway_timeout_seconds: int
    gateway_retry_seconds: tuple[int, ...]
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


_FUNCTIONS: Final = MappingProxyType(
    {
        "api": FunctionSettings(timeout_seconds=15, memory_mb=1024),
        "outbox-relay": FunctionSettings(timeout_seconds=30, memory_mb=512),
        "processor": FunctionSettings(timeout_seconds=60, memory_mb=512),
        "webhook-sender": FunctionSettings(timeout_seconds=60, memory_mb=512),
        "simulator": FunctionSettings(timeout_seconds=30, memory_mb=512),
    }
)

# Waits are delayed copies of a message, and SQS delays by 900 seconds at most.
_GATEWAY_RETRIES: Final = (1, 5, 15, 60, 300)
_WEBHOOK_RETRIES: Final = (1, 2, 4, 30, 120, 600, 900)

_STREAM: Final = StreamSettings(
    window_seconds=0,
    retry_attempts=5,
    max_record_age_seconds=6 * 3600,
    iterator_age_alarm_seconds=60,
)


def _queues(max_concurrency: int) -> Mapping[str, QueueSettings]:
    """The queues on AWS, as QueueSettings says that they have to be there."""
    return MappingProxyType(
        {
            name: QueueSettings(
                visibility_seconds=6 * _FUNCTIONS[consumer].timeout_seconds,
                max_receives=5,
                max_concurrency=max_concurrency,
                age_alarm_seconds=age_alarm_seconds,
            )
            for name, consumer, age_alarm_seconds in (
                ("payments", "processor", 300),
                ("webhooks", "webhook-sender", 900),
            )
        }
    )


LOCAL: Final = Stage(
    name="local",
    functions=MappingProxyType(
        {
            "api": FunctionSettings(timeout_seconds=15, memory_mb=512),
            "outbox-relay": FunctionSettings(timeout_seconds=15, memory_mb=512),
            "processor": FunctionSettings(timeout_seconds=20, memory_mb=512),
            "webhook-sender": FunctionSettings(timeout_seconds=25, memory_mb=512),
        }
    ),
    # Below AWS's advice on purpose: a poison message is to reach its dead-letter queue while a
    # person watches. The engine neither throttles nor scales, so no receive is wasted.
    queues=MappingProxyType(
        {
            "payments": QueueSettings(
                visibility_seconds=25, max_receives=3, max_concurrency=4, age_alarm_seconds=60
            ),
            "webhooks": QueueSettings(
                visibility_seconds=30, max_receives=3, max_concurrency=4, age_alarm_seconds=60
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
    gateway_timeout_seconds=8,
    gateway_retry_seconds=(1, 2, 4, 8),
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
    queues=_queues(max_concurrency=5),
    stream=_STREAM,
    throttle=Throttle(rate=500, burst=1000),
    merchant_limits=Throttle(rate=50, burst=100),
    max_backlog_seconds=300,
    lease_seconds=70,
    gateway_timeout_seconds=25,
    gateway_retry_seconds=_GATEWAY_RETRIES,
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
    gateway_timeout_seconds=25,
    gateway_retry_seconds=_GATEWAY_RETRIES,
    webhook_retry_seconds=_WEBHOOK_RETRIES,
    # No gateway until one is configured: the API answers 503 method_unavailable.
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
