"""Does an answer speak of our payment at all? The PSP's own words against ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from riel.domain.money import Money
from riel.domain.payment import Method, Payment, Status
from riel.gateways.base import Awaiting, Charged, Declined, Outcome, Voided

AMOUNT_MISMATCH = "amount_mismatch"
REFERENCE_MISMATCH = "reference_mismatch"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The PSP says what does not fit: `cause` in a word, `reason` for the operator."""

    cause: str
    reason: str

    @property
    def words(self) -> str:
        """Both in a line."""
        return f"{self.cause}: {self.reason}"


def mismatch(payment: Payment, outcome: Outcome) -> Contradiction | None:
    """Compare the PSP's own words with the payment."""
    if outcome.payment_id != payment.payment_id:
        return Contradiction(REFERENCE_MISMATCH, f"the PSP speaks of {outcome.payment_id!r:.60}")
    if outcome.amount != payment.amount:
        return amount_mismatch(payment.amount, outcome.amount)
    if isinstance(outcome, Declined):
        return None
    if payment.gateway_reference not in (None, outcome.reference):
        return Contradiction(REFERENCE_MISMATCH, "the PSP names another charge than before")
    if outcome.received.currency != payment.amount.currency:
        return Contradiction(AMOUNT_MISMATCH, f"received {_text(outcome.received)}")
    return _received_mismatch(payment, outcome)


def amount_mismatch(asked: Money, told: Money) -> Contradiction:
    """The PSP did what we asked for with another amount."""
    words = f"asked for {_text(asked)}, the PSP says {_text(told)}"
    return Contradiction(AMOUNT_MISMATCH, words)


def _received_mismatch(
    payment: Payment, outcome: Charged | Awaiting | Voided
) -> Contradiction | None:
    received, asked = outcome.received.minor, payment.amount.minor
    is_paid = isinstance(outcome, Charged)
    is_exact = payment.method is not Method.CARD or received == asked
    if received < 0 or is_paid != (received >= asked) or (is_paid and not is_exact):
        text = f"asked for {_text(payment.amount)}, received {_text(outcome.received)}"
        return Contradiction(AMOUNT_MISMATCH, text)
    if received < payment.received_minor and payment.status != Status.IN_REVIEW:
        return Contradiction(AMOUNT_MISMATCH, "the PSP has received less than it said before")
    return None


def _text(money: Money) -> str:
    return f"{money} {money.currency}"
