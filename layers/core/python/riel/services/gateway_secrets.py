"""The secrets by which gateways sign their events, read through a short memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import threads
from riel.errors import StoreUnavailableError
from riel.observability import count, logger
from riel.store.secrets import Secret

if TYPE_CHECKING:
    from riel.app import App

READ_EVERY_SECONDS = 300
FRESH_SECONDS = 10
"""So young is what a signature is judged by before it is called a forgery."""
LAST_KNOWN_SECONDS = 3600
"""For so long a secret counts that can not be read again."""


@dataclass(frozen=True, slots=True)
class _Known:
    secret: Secret
    read_at: datetime


class GatewaySecrets:
    """What this environment knows of the gateways' secrets."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: dict[str, _Known] = {}
        self._asked_at: dict[str, datetime] = {}
        self._reading = threads.Lock()

    def accepted(self, max_age_seconds: int = READ_EVERY_SECONDS) -> tuple[str, ...]:
        """Return the secrets that the simulated gateways may sign by, the present one first.

        Read again where the last look is older than `max_age_seconds`. Raises
        StoreUnavailableError where nothing is known that is young enough to count.
        """
        name = self._app.config.required("simulator_secret")
        now = self._app.clock()
        with self._reading:
            if self._is_old(name, now, max_age_seconds):
                self._read(name, now)
            return self._known[name].secret.accepted(now)

    def _is_old(self, name: str, now: datetime, max_age_seconds: int) -> bool:
        if name not in self._known:
            return True
        asked_at = self._asked_at[name]
        # Nor may it last longer because the clock was set back.
        return not asked_at <= now < asked_at + timedelta(seconds=max_age_seconds)

    def _read(self, name: str, now: datetime) -> None:
        self._asked_at[name] = now
        try:
            self._known[name] = _Known(self._app.secrets.read(name, now), now)
        except StoreUnavailableError as error:
            count("SecretsNotRead")
            logger.warning("secret not read", extra={"why": str(error)})
            known = self._known.get(name)
            if known is None or now >= known.read_at + timedelta(seconds=LAST_KNOWN_SECONDS):
                self._known.pop(name, None)
                raise
