"""Which gateways exist and what each can do: data, so that choosing one imports no adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from riel.domain.payment import Method
from riel.errors import MethodUnavailableError
from riel.gateways.capabilities import Capabilities

if TYPE_CHECKING:
    from riel.gateways.base import Gateway

_SIMULATED = Capabilities(
    methods={
        Method.CARD: None,
        Method.OXXO: frozenset({"MXN"}),
        Method.SPEI: frozenset({"MXN"}),
    },
    refunds=frozenset({Method.CARD, Method.OXXO, Method.SPEI}),
    livemode=False,
    longest_request_seconds=10,
    key_life_seconds=24 * 3600,
)
CAPABILITIES: dict[str, Capabilities] = {"simulator": _SIMULATED, "standby": _SIMULATED}
"""Every gateway that has an adapter. `standby` is a second simulator, to fall back to."""


def find(gateways: Mapping[str, Gateway], name: str) -> Gateway:
    """Return the adapter that a payment names, or raise MethodUnavailableError."""
    if name not in gateways:
        raise MethodUnavailableError(f"gateway {name} is not configured")
    return gateways[name]
