"""The one Protocol of the project: what Riel asks of a PSP, in Riel's words.

An adapter translates. It answers with an outcome, or raises one of three errors:
GatewayUnavailableError (provably nothing happened), OutcomeUnknownError (the request left, no
answer came) and UnmappedAnswerError (an answer that it does not understand).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from riel.domain.money import Money


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One charge. `key` is the PSP's idempotency key: every resend after doubt uses the same."""

    key: str
    payment_id: str
    amount: Money
    token: str | None


@dataclass(frozen=True, slots=True)
class Charged:
    """Money moved: what the PSP says it took, in its own record's name."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """No money moved, for good. `code` is in Riel's words (`insufficient_funds`)."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The PSP knows no charge under this key, as of now. It proves nothing about later."""


Outcome = Charged | Declined


class Gateway(Protocol):
    """A PSP."""

    name: str

    def charge(self, request: ChargeRequest) -> Outcome:
        """Ask for a charge."""
        ...

    def look_up(self, key: str) -> Outcome | NotFound:
        """Ask what became of the charge with this idempotency key."""
        ...
