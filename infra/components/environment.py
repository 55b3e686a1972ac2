"""The variables of the functions, by what they are about; `riel.config` reads them."""

from collections.abc import Mapping

from infra.components.work_queue import WorkQueue
from infra.names import Names
from infra.stages import PAYMENTS_QUEUE, Stage


class Environment:
    """What a function is told of tables, queues and rules; it is given only what it needs."""

    def __init__(self, stage: Stage, queues: Mapping[str, WorkQueue]) -> None:
        self._stage, self._names, self._queues = stage, Names(stage.name), queues

    def tables(self, *names: str) -> dict[str, str]:
        """The names of some tables."""
        return {f"RIEL_{name.upper()}_TABLE": self._names.table(name) for name in names}

    def queues(self, *names: str) -> dict[str, str]:
        """The URLs of some queues."""
        return {_queue_variable(name): self._queues[name].queue_url for name in names}

    def payments_queues(self) -> dict[str, str]:
        """Where a payment's step goes: to its gateway's own queue, or to that of all others."""
        own = [f"{g}={self._queues[q].queue_url}" for g, q in self._stage.gateway_queues.items()]
        gateways = {"RIEL_GATEWAY_QUEUES": ",".join(own)} if own else {}
        return {**self.queues(PAYMENTS_QUEUE), **gateways}

    def routes(self) -> dict[str, str]:
        """Which gateways take which payments; nothing where no gateway is configured."""
        routes = self._stage.gateways.routes
        return {"RIEL_ROUTES": routes} if routes else {}

    def back_pressure(self, parallel: int) -> dict[str, str]:
        """How many payments are processed side by side, and how long a backlog may become."""
        return {
            "RIEL_PAYMENTS_PARALLEL": str(parallel),
            "RIEL_MAX_BACKLOG_SECONDS": str(self._stage.max_backlog_seconds),
        }

    def gateway_rules(self) -> dict[str, str]:
        """How a payment is tried at its gateways."""
        rules = self._stage.gateways
        return {
            "RIEL_LEASE_SECONDS": str(self._stage.lease_seconds),
            "RIEL_PAYMENTS_MAX_RECEIVES": str(self._stage.queues[PAYMENTS_QUEUE].max_receives),
            "RIEL_GATEWAY_TIMEOUT_SECONDS": str(rules.timeout_seconds),
            "RIEL_GATEWAY_RETRY_SECONDS": _commas(rules.retry_seconds),
            "RIEL_LOOK_UP_SECONDS": _commas(rules.look_up_seconds),
            "RIEL_SOFT_DECLINE_RETRY_SECONDS": _commas(rules.soft_decline_retry_seconds),
            "RIEL_FALLBACK_AFTER_WAITS": str(rules.fallback_after_waits),
            "RIEL_EXPIRY_GRACE_SECONDS": str(rules.expiry_grace_seconds),
            "RIEL_UNMATCHED_EVENT_SECONDS": _commas(rules.unmatched_event_seconds),
            "RIEL_BREAKER_FAILURES": str(rules.breaker_failures),
            "RIEL_BREAKER_SECONDS": str(rules.breaker_seconds),
        }

    def sweeper_rules(self) -> dict[str, str]:
        """At which ages of an event its effect is looked for."""
        return {"RIEL_SWEEP_AGES_SECONDS": _commas(self._stage.sweeper.ages_seconds)}

    def webhook_retries(self) -> dict[str, str]:
        """How a merchant's webhook is tried."""
        return {
            "RIEL_WEBHOOK_RETRY_SECONDS": _commas(self._stage.webhook_retry_seconds),
            "RIEL_WEBHOOKS_MAX_RECEIVES": str(self._stage.queues["webhooks"].max_receives),
        }

    def webhook_rules(self) -> dict[str, str]:
        """Which addresses a merchant's webhooks may have."""
        return {"RIEL_LOOPBACK_WEBHOOKS": "true"} if self._stage.loopback_webhooks else {}

    def webhook_key(self) -> dict[str, str]:
        """Under which key merchants' webhook secrets are sealed."""
        return {"RIEL_WEBHOOK_KEY": self._names.webhook_key}


def _queue_variable(name: str) -> str:
    return f"RIEL_{name.upper().replace('-', '_')}_QUEUE_URL"


def _commas(seconds: tuple[int, ...]) -> str:
    return ",".join(map(str, seconds))
