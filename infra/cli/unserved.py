"""Which methods have no gateway while the kill switches stand as they do."""

from __future__ import annotations

from collections.abc import Mapping, Set

from infra.stages import stage_named
from riel.gateways.routing import Route, parse_routes
from riel.store.switches import Switch


def switched_off(switches: Mapping[str, Switch | None]) -> dict[str, Switch]:
    """Return the switches that are off."""
    return {name: switch for name, switch in switches.items() if switch and not switch.is_on}


def unserved_methods(stage: str, switches: Mapping[str, Switch | None]) -> list[str]:
    """Name the routes of a stage whose new payments are refused: `oxxo`, `card in MXN`."""
    off = switched_off(switches).keys()
    routes = parse_routes(stage_named(stage).gateways.routes)
    return [_words(route) for route in routes if _is_closed(route, off)]


def _is_closed(route: Route, off: Set[str]) -> bool:
    names = {f"gateway.{name}" for name in route.gateways}
    return f"method.{route.method}" in off or names <= off


def _words(route: Route) -> str:
    return f"{route.method} in {route.currency}" if route.currency else str(route.method)
