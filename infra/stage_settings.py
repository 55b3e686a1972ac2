"""The parts that a stage's data is made of; `infra.stages` fills them in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FunctionSettings:
    """Size of one function. Lambda gives CPU in proportion to memory: 1,769 MB is one core."""

    timeout_seconds: int
    memory_mb: int


@dataclass(frozen=True)
class QueueSettings:
    """How one work queue hands out its messages, and to which function.

    ``visibility_seconds`` is at least six times its consumer's timeout on AWS and ``max_receives``
    at least five, because a throttled invocation counts as a receive. ``max_concurrency`` bounds
    the consumer's parallel batches of ten, so it is the load that the far side has to bear.
    """

    consumer: str
    visibility_seconds: int
    max_receives: int
    max_concurrency: int
    age_alarm_seconds: int


@dataclass(frozen=True)
class GatewaySettings:
    """Which gateways are tried, how long, and what follows when one does not answer as hoped.

    ``routes`` names the gateways of each method in their order: see `riel.gateways.routing`.
    A gateway that is unavailable is tried again after each of ``retry_seconds``, and after
    ``fallback_after_waits`` of them the route's next one, if nothing was sent to the first.
    A lost answer is looked up after each of ``look_up_seconds``; what is still unknown then goes
    to a person. A soft decline is tried again after ``soft_decline_retry_seconds``.
    A voucher is looked up a last time ``expiry_grace_seconds`` after it expired, and an event of a
    payment that we do not know is matched again after ``unmatched_event_seconds``.
    So many ``breaker_failures`` in a row keep an environment off a gateway for ``breaker_seconds``.
    """

    routes: str
    timeout_seconds: int
    retry_seconds: tuple[int, ...]
    look_up_seconds: tuple[int, ...]
    soft_decline_retry_seconds: tuple[int, ...]
    fallback_after_waits: int
    expiry_grace_seconds: int
    unmatched_event_seconds: tuple[int, ...]
    breaker_failures: int
    breaker_seconds: int


@dataclass(frozen=True)
class SweeperSettings:
    """At which ages of an event its effect is looked for, and which lag of that is an alarm.

    The first age leaves the ordinary way its time; the later ones look once more.
    """

    ages_seconds: tuple[int, ...]
    lag_alarm_seconds: int


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
