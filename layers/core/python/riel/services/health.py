"""Say whether the API can do its work, and name what it can not reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from riel import __version__, threads
from riel.errors import StoreUnavailableError
from riel.services.switches import NAMES

if TYPE_CHECKING:
    from riel.app import App


def check_health(app: App) -> dict[str, Any]:
    """Read one item of each table that the API reads; `status` is `ok` or `unavailable`.

    What an operator has switched off is named among the checks, and is no failure.
    """
    reads: dict[str, Callable[[], object]] = {
        "payments": lambda: app.payments.get("health"),
        # Not the methods themselves: a table that is not configured is a finding, too.
        "merchants": lambda: app.merchants.reach(),  # noqa: PLW0108
        "limits": lambda: app.limits.reach(),  # noqa: PLW0108
    }
    # Side by side: calls that hang one after another would outlast the function.
    with threads.pool(len(reads) + 1) as pool:
        switches = pool.submit(_switches, app)
        checks = dict(zip(reads, pool.map(_check, reads.values()), strict=True))
    is_ok = all(result == "ok" for result in checks.values())
    return {
        "status": "ok" if is_ok else "unavailable",
        "version": __version__,
        "stage": app.config.stage,
        "checks": {**checks, "switches": switches.result()},
    }


def _switches(app: App) -> str:
    off = [name for name in NAMES if not app.switches.is_on(name)]
    return f"off: {', '.join(off)}" if off else "ok"


def _check(read: Callable[[], object]) -> str:
    try:
        read()
    except Exception as error:  # noqa: BLE001 - whatever it is, health is there to name it
        return str(error) if isinstance(error, StoreUnavailableError) else type(error).__name__
    return "ok"
