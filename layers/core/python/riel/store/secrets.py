"""Secrets that two sides share, as Secrets Manager keeps them: the present one and the one before.

Whoever signs changes to a new secret at a moment of its own, so after a rotation both are good
for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from riel.errors import ConfigurationError, StoreUnavailableError

OVERLAP = timedelta(hours=24)
"""For so long after a rotation the secret before it is accepted."""
_CURRENT, _PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's present value, since when it is the present one, and the value before, if any."""

    current: str
    since: datetime
    previous: str | None = None

    def accepted(self, now: datetime) -> tuple[str, ...]:
        """Values that count now, the present one first."""
        if self.previous is None or now >= self.since + OVERLAP:
            return (self.current,)
        return (self.current, self.previous)


class SecretStore:
    """Secrets Manager, read only."""

    def __init__(self, secrets_manager: Any) -> None:
        self._client = secrets_manager

    def read(self, name: str, now: datetime) -> Secret:
        """Read a secret: one call, or two within the overlap of a rotation.

        Raises StoreUnavailableError whatever fails, even a missing permission: the PSP is then
        asked to come again, and loses nothing.
        """
        current = self._version(name, _CURRENT)
        if current is None:
            raise StoreUnavailableError(f"secret {name} does not exist")
        value, since = current
        if now >= since + OVERLAP:
            return Secret(value, since)
        previous = self._version(name, _PREVIOUS)
        return Secret(value, since, previous[0] if previous else None)

    def _version(self, name: str, stage: str) -> tuple[str, datetime] | None:
        try:
            answer = self._client.get_secret_value(SecretId=name, VersionStage=stage)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                return None
            raise StoreUnavailableError(f"secret {name}: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailableError(f"secret {name}: {type(error).__name__}") from error
        if not answer.get("SecretString"):
            raise ConfigurationError(f"secret {name} is not a text")
        return answer["SecretString"], answer["CreatedDate"]
