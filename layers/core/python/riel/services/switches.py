"""Kill switches: an operator takes a gateway or a method out of use for new payments.

What was accepted goes on to its end. Everything is on until somebody switches it off, and what
nobody can read stays as it was known last: a store that is down must not stop payments.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel import threads
from riel.domain.payment import Method
from riel.errors import FieldProblem, InvalidRequestError, StoreUnavailableError
from riel.gateways.registry import CAPABILITIES
from riel.observability import count, logger
from riel.store.switches import Switch

if TYPE_CHECKING:
    from riel.app import App

READ_EVERY_SECONDS = 10
MAX_REASON_LENGTH = 500
NAMES = (
    *(f"gateway.{name}" for name in CAPABILITIES),
    *(f"method.{method}" for method in Method),
)
"""Every switch that there is."""


class Switches:
    """What this environment knows of the switches."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._known: dict[str, Switch] = {}
        self._asked_at: datetime | None = None
        self._reading = threads.Lock()

    def is_on(self, name: str) -> bool:
        """Judge one switch; read at most every `READ_EVERY_SECONDS`, failures included."""
        with self._reading:
            now = self._app.clock()
            if self._is_old(now):
                self._asked_at = now
                self._read()
        switch = self._known.get(name)
        return switch is None or switch.is_on

    def _is_old(self, now: datetime) -> bool:
        life = timedelta(seconds=READ_EVERY_SECONDS)
        # Nor may it last longer because the clock was set back.
        return self._asked_at is None or not self._asked_at <= now < self._asked_at + life

    def _read(self) -> None:
        try:
            self._known = self._app.switch_store.read()
        except StoreUnavailableError as error:
            logger.warning("switches not read", extra={"why": str(error)})
            count("SwitchesNotRead")


def all_switches(app: App) -> dict[str, Switch | None]:
    """Read every switch as it is now; None for one that was never set, and so is on."""
    found = app.switch_store.read()
    return {name: found.get(name) for name in NAMES}


def set_switch(app: App, name: str, *, is_on: bool, who: str, why: str) -> Switch:
    """Set a switch, recorded with who and why; environments follow within ten seconds.

    Raises InvalidRequestError for an unknown name, or without a reason.
    """
    why = why.strip()
    if name not in NAMES:
        raise _problem("name", f"there is no switch {name!r:.60}; there are {', '.join(NAMES)}")
    if not 1 <= len(why) <= MAX_REASON_LENGTH:
        raise _problem("reason", f"1 to {MAX_REASON_LENGTH} characters")
    switch = Switch(is_on, who, why, app.clock())
    app.switch_store.write(name, switch)
    return switch


def _problem(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError((FieldProblem(field, f"{field}_invalid", message),))
