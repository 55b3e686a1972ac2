"""Names of every deployed resource, derived from the stage alone.

The names are deterministic, so the operator's command line finds a queue or a table by its stage
without reading a stack's outputs. This module imports nothing from AWS and is cheap to load.
"""

import shutil
from dataclasses import dataclass
from typing import Final

TABLES: Final = ("payments", "outbox", "merchants", "idempotency", "limits")
"""Short names of the tables of every stage; a stage with a simulator function has one more."""

FUNCTIONS: Final = (
    "api",
    "gateway-webhooks",
    "outbox-relay",
    "processor",
    "sweeper",
    "webhook-sender",
)
"""Short names of the functions of every stage; their packages use underscores."""

SIMULATOR: Final = "simulator"
"""Short name of the simulated gateway's function, table and secret, on the stages with one."""


@dataclass(frozen=True)
class Names:
    """The resource names of one stage, for example ``Names("dev").queue("payments")``."""

    stage: str

    @property
    def prefix(self) -> str:
        """What the HTTP API is called, and what every other name starts with."""
        return f"riel-{self.stage}"

    def _join(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def stack(self, name: str) -> str:
        """The CloudFormation stack ``stateful`` or ``stateless``."""
        return self._join(name)

    def table(self, name: str) -> str:
        """A DynamoDB table by its short name."""
        return self._join(name)

    def queue(self, name: str) -> str:
        """A work queue by its short name."""
        return self._join(name)

    def dead_letter_queue(self, name: str) -> str:
        """Where the messages of a queue, or the records of the relay, end that nobody could use."""
        return self._join(f"{name}-dlq")

    def function(self, name: str) -> str:
        """A Lambda function by its short name."""
        return self._join(name)

    def schedule(self, name: str) -> str:
        """What starts a function by the clock, by the function's short name."""
        return self._join(name)

    def secret(self, name: str) -> str:
        """The secret that we share with a gateway, by the gateway's name."""
        return self._join(name)

    @property
    def webhook_key(self) -> str:
        """The alias of the KMS key under which merchants' webhook secrets are sealed."""
        return f"alias/{self._join('webhook-secrets')}"

    def layer(self, name: str) -> str:
        """A Lambda layer, ``core`` or ``dependencies``."""
        return self._join(name)

    def log_group(self, name: str) -> str:
        """The log group of a function by the function's short name."""
        return f"/aws/lambda/{self.function(name)}"

    @property
    def access_log_group(self) -> str:
        """Where API Gateway writes one line for each request."""
        return f"/aws/apigateway/{self.prefix}"

    @property
    def alarm_topic(self) -> str:
        """The SNS topic that every alarm notifies."""
        return self._join("alarms")

    def alarm(self, what: str) -> str:
        """A CloudWatch alarm, for example ``payments-dlq-depth``."""
        return self._join(what)


def package(function: str) -> str:
    """The Python package of a function: ``outbox-relay`` lives in ``functions/outbox_relay``."""
    return function.replace("-", "_")


def command() -> str:
    """How a person starts the `riel` command from here: it may not be on the PATH."""
    return "riel" if shutil.which("riel") else ".venv/bin/riel"
