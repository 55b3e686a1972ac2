"""Which gateway takes which payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from riel.domain.payment import Method
from riel.errors import MethodUnavailableError

if TYPE_CHECKING:
    from riel.gateways.base import Gateway

METHODS: dict[str, frozenset[Method]] = {"simulator": frozenset({Method.CARD})}
"""What each adapter can do today."""


def choose(configured: frozenset[str], method: Method, livemode: bool) -> str:
    """Name the gateway for a new payment, or raise MethodUnavailableError.

    Test keys reach the simulator alone, and live keys never do: nobody must be told that play
    money is money.
    """
    usable = {"simulator"} if not livemode else configured - {"simulator"}
    for name in sorted(configured & usable):
        if method in METHODS[name]:
            return name
    mode = "live" if livemode else "test"
    raise MethodUnavailableError(f"no gateway takes {method} payments in {mode} mode")


def find(gateways: Mapping[str, Gateway], name: str) -> Gateway:
    """Return the adapter that a payment names, or raise MethodUnavailableError."""
    if name not in gateways:
        raise MethodUnavailableError(f"gateway {name} is not configured")
    return gateways[name]
