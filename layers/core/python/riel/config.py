"""The settings of a function, read from its environment: the only place that reads it.

The stack gives each function only the variables that it needs, so every table and queue is
optional here, and `Config.required` names the variable that is missing where one is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from riel.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, with its unit in its name."""

    stage: str = "local"
    payments_table: str = ""
    outbox_table: str = ""
    merchants_table: str = ""
    idempotency_table: str = ""
    limits_table: str = ""
    payments_queue_url: str = ""
    webhooks_queue_url: str = ""
    webhooks_dlq_url: str = ""
    simulator_url: str = ""
    simulator_auth: str = ""
    gateway_timeout_seconds: float = 8.0
    lease_seconds: int = 20
    payments_max_receives: int = 5
    payments_parallel: int = 10
    max_backlog_seconds: int = 300
    gateway_retry_seconds: tuple[int, ...] = (1, 2, 4, 8)
    webhook_retry_seconds: tuple[int, ...] = (1, 2, 4)
    webhooks_max_receives: int = 5
    webhook_key: str = ""
    loopback_webhooks: bool = False
    gateway_events_queue_url: str = ""
    gateway_queues: Mapping[str, str] = field(default_factory=dict)
    simulator_secret: str = ""
    events_base_url: str = ""
    routes: str = ""
    look_up_seconds: tuple[int, ...] = (2, 4, 8)
    soft_decline_retry_seconds: tuple[int, ...] = (2, 4)
    fallback_after_waits: int = 3
    expiry_grace_seconds: int = 2
    unmatched_event_seconds: tuple[int, ...] = (5, 10, 30)
    breaker_failures: int = 5
    breaker_seconds: int = 3
    sweep_ages_seconds: tuple[int, ...] = (30, 120)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Config:
        """Read `RIEL_*` variables; raise ConfigurationError for one that can not be read."""
        env = os.environ if environment is None else environment
        try:
            return cls(
                stage=env.get("RIEL_STAGE", "local"),
                payments_table=env.get("RIEL_PAYMENTS_TABLE", ""),
                outbox_table=env.get("RIEL_OUTBOX_TABLE", ""),
                merchants_table=env.get("RIEL_MERCHANTS_TABLE", ""),
                idempotency_table=env.get("RIEL_IDEMPOTENCY_TABLE", ""),
                limits_table=env.get("RIEL_LIMITS_TABLE", ""),
                payments_queue_url=env.get("RIEL_PAYMENTS_QUEUE_URL", ""),
                webhooks_queue_url=env.get("RIEL_WEBHOOKS_QUEUE_URL", ""),
                webhooks_dlq_url=env.get("RIEL_WEBHOOKS_DLQ_URL", ""),
                simulator_url=env.get("RIEL_SIMULATOR_URL", ""),
                simulator_auth=env.get("RIEL_SIMULATOR_AUTH", ""),
                gateway_timeout_seconds=float(env.get("RIEL_GATEWAY_TIMEOUT_SECONDS", "8")),
                lease_seconds=int(env.get("RIEL_LEASE_SECONDS", "20")),
                payments_max_receives=int(env.get("RIEL_PAYMENTS_MAX_RECEIVES", "5")),
                payments_parallel=int(env.get("RIEL_PAYMENTS_PARALLEL", "10")),
                max_backlog_seconds=int(env.get("RIEL_MAX_BACKLOG_SECONDS", "300")),
                gateway_retry_seconds=_seconds(env.get("RIEL_GATEWAY_RETRY_SECONDS", "1,2,4,8")),
                webhook_retry_seconds=_ages(env.get("RIEL_WEBHOOK_RETRY_SECONDS", "1,2,4")),
                webhooks_max_receives=int(env.get("RIEL_WEBHOOKS_MAX_RECEIVES", "5")),
                webhook_key=env.get("RIEL_WEBHOOK_KEY", ""),
                loopback_webhooks=env.get("RIEL_LOOPBACK_WEBHOOKS", "") == "true",
                gateway_events_queue_url=env.get("RIEL_GATEWAY_EVENTS_QUEUE_URL", ""),
                gateway_queues=_pairs(env.get("RIEL_GATEWAY_QUEUES", "")),
                simulator_secret=env.get("RIEL_SIMULATOR_SECRET", ""),
                events_base_url=env.get("RIEL_EVENTS_BASE_URL", "").rstrip("/"),
                routes=env.get("RIEL_ROUTES", ""),
                look_up_seconds=_ages(env.get("RIEL_LOOK_UP_SECONDS", "2,4,8")),
                soft_decline_retry_seconds=_seconds(
                    env.get("RIEL_SOFT_DECLINE_RETRY_SECONDS", "2,4")
                ),
                fallback_after_waits=int(env.get("RIEL_FALLBACK_AFTER_WAITS", "3")),
                expiry_grace_seconds=int(env.get("RIEL_EXPIRY_GRACE_SECONDS", "2")),
                unmatched_event_seconds=_ages(env.get("RIEL_UNMATCHED_EVENT_SECONDS", "5,10,30")),
                breaker_failures=int(env.get("RIEL_BREAKER_FAILURES", "5")),
                breaker_seconds=int(env.get("RIEL_BREAKER_SECONDS", "3")),
                sweep_ages_seconds=_ages(env.get("RIEL_SWEEP_AGES_SECONDS", "30,120")),
            )
        except ValueError as error:
            raise ConfigurationError(f"a RIEL_ variable can not be read: {error}") from error

    def required(self, name: str) -> str:
        """Return a text setting, or say which variable is missing."""
        value: str = getattr(self, name)
        if not value:
            raise ConfigurationError(f"RIEL_{name.upper()} is not set")
        return value


@dataclass(frozen=True, slots=True)
class EventFaults:
    """How the simulator's events go astray: a delay in seconds, the rest as chances in 0..1.

    Written as `delay=0-2,duplicate=0.3,reorder=0.3,lose=0.1`, or `off` for no events at all.
    """

    delay_seconds: tuple[float, float] = (0.0, 0.5)
    duplicate: float = 0.0
    reorder: float = 0.0
    lose: float = 0.0
    off: bool = False

    @classmethod
    def parse(cls, text: str) -> EventFaults:
        """Read the text form; raises ValueError for what can not be read."""
        parts = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
        off = parts.pop("off", None) is not None
        delay = _bounds(parts.pop("delay", "0-0.5"))
        chances = {name: float(value) for name, value in parts.items()}
        unknown = chances.keys() - {"duplicate", "reorder", "lose"}
        if unknown or any(not 0 <= chance <= 1 for chance in chances.values()):
            raise ValueError(f"{text!r}: delay=LOW-HIGH, duplicate, reorder, lose within 0-1, off")
        return cls(delay, off=off, **chances)


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """The settings of the simulator PSP: latency bounds in seconds, success rate in 0..1.

    `capacity` is how many charges each simulated PSP works on at once, 0 for any number. `secret`
    names the secret that its events are signed with; without one it sends none.
    """

    table: str
    latency_seconds: tuple[float, float] = (0.05, 0.2)
    success_rate: float = 0.9
    capacity: int = 0
    secret: str = ""
    events: EventFaults = EventFaults()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> SimulatorConfig:
        """Read `RIEL_SIMULATOR_*`; raise ConfigurationError for one that can not be read."""
        env = os.environ if environment is None else environment
        try:
            rate = float(env["RIEL_SIMULATOR_SUCCESS_RATE"])
            capacity = int(env.get("RIEL_SIMULATOR_CAPACITY") or "0")
            if not (0 <= rate <= 1 and capacity >= 0):
                raise ValueError("the success rate is 0 to 1, the capacity a count")
            return cls(
                table=env["RIEL_SIMULATOR_TABLE"],
                latency_seconds=_bounds(env["RIEL_SIMULATOR_LATENCY"]),
                success_rate=rate,
                capacity=capacity,
                secret=env.get("RIEL_SIMULATOR_SECRET", ""),
                events=EventFaults.parse(env.get("RIEL_SIMULATOR_EVENTS", "")),
            )
        except (KeyError, ValueError) as error:
            raise ConfigurationError(f"a RIEL_SIMULATOR_ variable: {error}") from error


def _bounds(text: str) -> tuple[float, float]:
    """Read `LOW-HIGH` in seconds."""
    low, high = (float(part) for part in text.split("-"))
    if not 0 <= low <= high <= 60:
        raise ValueError(f"{text!r}: LOW-HIGH within 0-60 seconds")
    return low, high


def _pairs(text: str) -> dict[str, str]:
    """Read `name=value,name=value`."""
    pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{text!r}: name=value, separated by commas")
    return {name.strip(): value for name, value in pairs}


def _ages(text: str) -> tuple[int, ...]:
    """Read whole seconds of any length, each at least one."""
    seconds = tuple(int(part) for part in text.split(",") if part.strip())
    if not seconds or min(seconds) < 1:
        raise ValueError(f"{text!r}: whole seconds, separated by commas")
    return seconds


def _seconds(text: str) -> tuple[int, ...]:
    """Read delays of messages."""
    seconds = tuple(int(part) for part in text.split(",") if part.strip())
    if any(not 0 <= s <= 900 for s in seconds):
        raise ValueError(f"{text!r}: a message can be delayed by 0 to 900 seconds")
    return seconds
