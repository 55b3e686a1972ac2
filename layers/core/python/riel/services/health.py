"""Say whether the API can do its work, and name what it can not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riel import __version__
from riel.errors import StoreUnavailableError

if TYPE_CHECKING:
    from riel.app import App


def check_health(app: App) -> dict[str, Any]:
    """Read one item of each table that a payment needs; `status` is `ok` or `unavailable`."""
    checks = {
        "payments": _check(lambda: app.payments.get("health")),
        "merchants": _check(app.merchants.reach),
    }
    is_ok = all(result == "ok" for result in checks.values())
    return {
        "status": "ok" if is_ok else "unavailable",
        "version": __version__,
        "stage": app.config.stage,
        "checks": checks,
    }


def _check(read: Any) -> str:
    try:
        read()
    except Exception as error:  # noqa: BLE001 - whatever it is, health is there to name it
        return str(error) if isinstance(error, StoreUnavailableError) else type(error).__name__
    return "ok"
