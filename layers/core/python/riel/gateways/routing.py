"""Which gateways a payment may go to, in order: routes are a stage's data.

    card=simulator>standby;oxxo/MXN=simulator;spei=simulator

A route names a method, perhaps one currency of it, and the gateways in the order in which they
are tried; the first route that fits counts. The later gateways are fallbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riel.domain.payment import Method
from riel.errors import ConfigurationError, MethodUnavailableError
from riel.gateways.registry import CAPABILITIES


@dataclass(frozen=True, slots=True)
class Route:
    """The gateways of a method, or of one currency of it (empty: all)."""

    method: Method
    currency: str
    gateways: tuple[str, ...]


def parse_routes(text: str) -> tuple[Route, ...]:
    """Read routes; raises ConfigurationError naming the one that can not be read."""
    return tuple(_route(part) for part in text.split(";") if part.strip())


def _route(text: str) -> Route:
    where, _, names = text.strip().partition("=")
    method, _, currency = where.partition("/")
    gateways = tuple(name for name in names.split(">") if name)
    if method not in set(Method) or not gateways or not set(gateways) <= CAPABILITIES.keys():
        raise ConfigurationError(f"route {text!r}: method[/CURRENCY]=gateway[>gateway…]")
    return Route(Method(method), currency, gateways)


def candidates(
    routes: Sequence[Route], method: Method, currency: str, *, livemode: bool
) -> tuple[str, ...]:
    """Name the gateways for a payment, best first; there may be none.

    Test keys reach the simulators alone, and live keys never do: nobody must be told that play
    money is money.
    """
    for route in routes:
        if route.method == method and route.currency in ("", currency):
            return tuple(
                name
                for name in route.gateways
                if CAPABILITIES[name].livemode == livemode
                and CAPABILITIES[name].takes(method, currency)
            )
    return ()


def choose(
    routes: Sequence[Route],
    method: Method,
    currency: str,
    *,
    livemode: bool,
    is_on: Callable[[str], bool],
) -> str:
    """Name the gateway for a new payment, or raise MethodUnavailableError.

    `is_on` judges a kill switch by its name: `method.oxxo`, `gateway.simulator`.
    """
    able = candidates(routes, method, currency, livemode=livemode)
    for name in able:
        if is_on(f"method.{method}") and is_on(f"gateway.{name}"):
            return name
    where = f"in {currency} in {'live' if livemode else 'test'} mode"
    when = " just now" if able else ""
    raise MethodUnavailableError(f"no gateway takes {method} payments {where}{when}")
