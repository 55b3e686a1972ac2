"""How the simulator decides: by token, or by the payment's id so that a retry is answered alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from functions.simulator.charges import DECLINED, POISONED, SUCCEEDED, Charge, ChargeTable
from riel.config import SimulatorConfig
from riel.domain.instants import epoch_milliseconds, to_text

UNAVAILABLE_SECONDS = 3
NEVER_SECONDS = 30.0
"""How long an answer that never comes takes: longer than any caller's patience."""
TOKENS = frozenset(
    {
        "tok_ok",
        "tok_declined",
        "tok_insufficient_funds",
        "tok_timeout_after_charge",
        "tok_timeout_before_charge",
        "tok_unavailable",
        "tok_wrong_amount",
        "tok_poison",
    }
)
_DECLINES = {"tok_declined": "card_declined", "tok_insufficient_funds": "insufficient_funds"}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a charge."""

    idempotency_key: str
    payment_id: str
    amount: int
    currency: str
    token: str | None


class UnavailableForNowError(Exception):
    """503: nothing happened."""


class NeverAnsweredError(Exception):
    """No answer: the caller hangs."""


class Psp:
    """The simulator's behaviour."""

    def __init__(
        self,
        config: SimulatorConfig,
        charges: ChargeTable,
        clock: Callable[[], datetime],
        random: Random,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self.charges = charges
        self._clock = clock
        self._random = random
        self._sleep = sleep

    def charge(self, ask: Ask) -> Charge:
        """Charge once per key, or raise the error that the token asks for."""
        self._sleep(self._random.uniform(*self._config.latency_seconds))
        known = self.charges.get(ask.idempotency_key)
        if known and known.status != POISONED:
            return known
        token = self._token(ask)
        if token == "tok_timeout_before_charge":
            self._sleep(NEVER_SECONDS)
            raise NeverAnsweredError
        if token == "tok_unavailable":
            self._stay_away(ask.payment_id)
        charge = self.charges.put(self._decide(ask, token))
        if token == "tok_timeout_after_charge":
            self._sleep(NEVER_SECONDS)
            raise NeverAnsweredError
        return charge

    def look_up(self, key: str) -> Charge | None:
        """Find what became of a key; a healed poison is as good as never asked."""
        known = self.charges.get(key)
        if known and known.status == POISONED and self.charges.forced(known.payment_id):
            return None
        return known

    def _token(self, ask: Ask) -> str:
        token = self.charges.forced(ask.payment_id) or ask.token
        if token in TOKENS:
            return str(token)
        # No token, or one of a real PSP: the success rate decides, by the payment's id.
        draw = int.from_bytes(hashlib.sha256(ask.payment_id.encode()).digest()[:4], "big") / 2**32
        return "tok_ok" if draw < self._config.success_rate else "tok_declined"

    def _stay_away(self, payment_id: str) -> None:
        now = epoch_milliseconds(self._clock())
        if now - self.charges.first_seen_ms(payment_id, now) < UNAVAILABLE_SECONDS * 1000:
            raise UnavailableForNowError

    def _decide(self, ask: Ask, token: str) -> Charge:
        status = POISONED if token == "tok_poison" else SUCCEEDED
        if token in _DECLINES:
            status = DECLINED
        digest = hashlib.sha256(ask.idempotency_key.encode()).hexdigest()
        return Charge(
            idempotency_key=ask.idempotency_key,
            charge_id=f"sim_{digest[:24]}",
            payment_id=ask.payment_id,
            amount=ask.amount + (1 if token == "tok_wrong_amount" else 0),
            currency=ask.currency,
            status=status,
            created_at=to_text(self._clock()),
            decline_code=_DECLINES.get(token, ""),
        )
