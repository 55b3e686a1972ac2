"""The settings of a function, read from its environment: the only place that reads it.

The stack gives each function only the variables that it needs, so every table and queue is
optional here, and `Config.required` names the variable that is missing where one is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

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
    loopback_webhooks: bool = False

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
                webhook_retry_seconds=_seconds(env.get("RIEL_WEBHOOK_RETRY_SECONDS", "1,2,4")),
                loopback_webhooks=env.get("RIEL_LOOPBACK_WEBHOOKS", "") == "true",
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
class SimulatorConfig:
    """The settings of the simulator PSP: latency bounds in seconds, success rate in 0..1."""

    table: str
    latency_seconds: tuple[float, float] = (0.05, 0.2)
    success_rate: float = 0.9

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> SimulatorConfig:
        """Read `RIEL_SIMULATOR_*`; raise ConfigurationError for one that can not be read."""
        env = os.environ if environment is None else environment
        try:
            low, high = (float(x) for x in env["RIEL_SIMULATOR_LATENCY"].split("-"))
            rate = float(env["RIEL_SIMULATOR_SUCCESS_RATE"])
            if not (0 <= low <= high <= 60 and 0 <= rate <= 1):
                raise ValueError("latency is LOW-HIGH within 0-60 seconds, success rate 0 to 1")
            return cls(env["RIEL_SIMULATOR_TABLE"], (low, high), rate)
        except (KeyError, ValueError) as error:
            raise ConfigurationError(f"a RIEL_SIMULATOR_ variable: {error}") from error


def _seconds(text: str) -> tuple[int, ...]:
    seconds = tuple(int(part) for part in text.split(",") if part.strip())
    if any(not 0 <= s <= 900 for s in seconds):
        raise ValueError(f"{text!r}: a message can be delayed by 0 to 900 seconds")
    return seconds
