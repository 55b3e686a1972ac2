"""The one Protocol of the project: what Riel asks of a PSP, in Riel's words.

An adapter translates. It answers with an outcome, or raises one of three errors:
GatewayUnavailableError (provably nothing happened), OutcomeUnknownError (the request left, no
answer came) and UnmappedAnswerError (an answer that it does not understand). It never guesses, and
it never judges: whether an answer fits what was asked is for the service that asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from riel.domain.money import Money
from riel.domain.payment import Method, NextAction
from riel.gateways.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One charge. `key` is the PSP's idempotency key: every resend after doubt uses the same.

    `expires_at` is until when a voucher may be paid; `events_url` is where the PSP's events go.
    """

    key: str
    payment_id: str
    amount: Money
    method: Method = Method.CARD
    token: str | None = None
    expires_at: datetime | None = None
    events_url: str = ""


@dataclass(frozen=True, slots=True)
class Charged:
    """Money moved. `amount` is what the PSP says was asked for, `received` what it took in all.

    `payment_id` and `amount` are the PSP's own words, to be compared with the request.
    """

    payment_id: str
    amount: Money
    reference: str
    received: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """No money moved, for good. `code` is in Riel's words (`insufficient_funds`).

    A soft decline is about the moment (the issuer did not answer), so a new charge may succeed; a
    hard one is about the payer, who has to do something else.
    """

    payment_id: str
    amount: Money
    code: str
    message: str
    is_soft: bool = False


@dataclass(frozen=True, slots=True)
class Awaiting:
    """The payer has to act; `received` is what came so far, less than `amount`."""

    payment_id: str
    amount: Money
    reference: str
    next_action: NextAction
    received: Money


@dataclass(frozen=True, slots=True)
class Voided:
    """The PSP takes no more money for this voucher: it expired there, or was canceled."""

    payment_id: str
    amount: Money
    reference: str
    received: Money


@dataclass(frozen=True, slots=True)
class NotFound:
    """The PSP knows nothing under this key, as of now. It proves nothing about later."""


Outcome = Charged | Declined | Awaiting | Voided


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """One refund of a charge. `charge_key` and `charge_reference` name the charge, `key` this."""

    key: str
    refund_id: str
    payment_id: str
    charge_key: str
    charge_reference: str
    amount: Money
    events_url: str = ""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money went back. `refund_id` and `amount` are the PSP's own words."""

    refund_id: str
    amount: Money
    reference: str


@dataclass(frozen=True, slots=True)
class RefundDeclined:
    """No money went back, for good."""

    refund_id: str
    amount: Money
    code: str
    message: str


RefundOutcome = Refunded | RefundDeclined


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A PSP's word that something happened. It is a reason to look, never the truth itself.

    `event_id` is the PSP's own, or derived from the body where it sends none. `payment_id` is our
    id as the PSP repeats it, or empty where the event is about nothing of ours.
    """

    event_id: str
    type: str
    livemode: bool
    at: datetime
    payment_id: str = ""
    refund_id: str = ""


EventReader = Callable[[Mapping[str, str], bytes, Sequence[str], datetime], GatewayEvent]
"""`Gateway.parse_event` alone: it needs no client, so what only reads events builds none."""
KeptEventReader = Callable[[Mapping[str, str], bytes], GatewayEvent]
"""The reading alone, for an event that was verified when it came: headers, body."""


class Gateway(Protocol):
    """A PSP."""

    name: str
    capabilities: Capabilities

    def charge(self, request: ChargeRequest) -> Outcome:
        """Ask for a charge, or for a voucher."""
        ...

    def look_up(self, key: str) -> Outcome | NotFound:
        """Ask what became of the charge with this idempotency key. Changes nothing."""
        ...

    def void(self, key: str) -> Outcome | NotFound:
        """Cancel a voucher that waits; answers what the charge is then. Repeating it is safe."""
        ...

    def refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask for a refund."""
        ...

    def look_up_refund(self, key: str) -> RefundOutcome | NotFound:
        """Ask what became of the refund with this idempotency key. Changes nothing."""
        ...

    def parse_event(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
    ) -> GatewayEvent:
        """Check an event's signature over its raw bytes, in constant time, then read it.

        Header names are in lower case; any of the `secrets` may have signed. Raises
        SignatureInvalidError, TimestampOutOfToleranceError, and UnmappedAnswerError for a signed
        body that can not be read.
        """
        ...
