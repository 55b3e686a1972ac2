"""A gateway that a payment fell back from says that it charged all the same: look, and tell.

It had said that it did nothing, so the payment went to another one. What it took nobody has asked
for, and no status follows from it: a person has to give it back there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel import ids
from riel.domain.attention import contradict
from riel.domain.payment import Ignored, Payment
from riel.errors import StoreUnavailableError
from riel.gateways.base import Awaiting, Charged, Gateway, NotFound, Outcome, Voided
from riel.gateways.registry import find
from riel.observability import count
from riel.services.gateway_step import look
from riel.services.mismatch import Contradiction
from riel.services.settle_payment import contradicted

if TYPE_CHECKING:
    from riel.app import App

CHARGED_ELSEWHERE = "charged_elsewhere"


def look_back(app: App, payment: Payment, name: str) -> Contradiction | Outcome | NotFound:
    """Ask a gateway that the payment has left what it did; a contradiction if it has money for it.

    Raises GatewayUnavailableError and UnmappedAnswerError.
    """
    gateway = find(app.gateways, name)
    found: Outcome | NotFound = NotFound()
    # The payment may have been declined since, so its present charge need not be the one.
    for number in range(1, payment.charge_number + 1):
        key = ids.gateway_key(payment.payment_id, name, number)
        outcome = _look_up(app, gateway, key)
        if _has_money(outcome):
            return _contradiction(name, outcome)
        found = found if isinstance(outcome, NotFound) else outcome
    return found


def tell(app: App, payment: Payment, told: Contradiction) -> None:
    """Note it on the payment, if no person was told of it; raises StoreUnavailableError."""
    after = contradict(payment, told.words, app.clock())
    if isinstance(after, Ignored):
        return
    if not app.payments.note(payment, after):
        raise StoreUnavailableError("the payment is contended")
    contradicted(payment, told)
    count("GatewayContradicted")


def _look_up(app: App, gateway: Gateway, key: str) -> Outcome | NotFound:
    return look(app, gateway, lambda: gateway.look_up(key))


def _has_money(outcome: Outcome | NotFound) -> bool:
    """Whether it took something, or may still do so."""
    match outcome:
        case Charged() | Awaiting():
            return True
        case Voided(received=received):
            return received.minor > 0
        case _:
            return False


def _contradiction(name: str, outcome: Outcome | NotFound) -> Contradiction:
    said = type(outcome).__name__.lower()
    reference = getattr(outcome, "reference", "")
    reason = f"{name}, which the payment fell back from, says {said}: {reference}"
    return Contradiction(CHARGED_ELSEWHERE, reason[:200])
