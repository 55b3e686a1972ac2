"""What a PSP can do, as data: apart from the Protocol, as choosing a gateway needs no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from riel.domain.payment import Method


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a PSP can do, as data.

    `methods` names the currencies of each method that it takes (None: every current one). After
    `longest_request_seconds` no request of ours can still be under way at the PSP, so only then
    does "not found" prove that it never came. It remembers an idempotency key for
    `key_life_seconds`; a resend after that would be a second charge.
    """

    methods: Mapping[Method, frozenset[str] | None]
    refunds: frozenset[Method]
    livemode: bool
    longest_request_seconds: int
    key_life_seconds: int

    def takes(self, method: Method, currency: str) -> bool:
        """Whether the PSP takes this method in this currency."""
        if method not in self.methods:
            return False
        currencies = self.methods[method]
        return currencies is None or currency in currencies
