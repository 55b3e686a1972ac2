"""The payments of the demo, and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

DEAD_LETTER = "dead_letter"
_FINAL = frozenset({"completed", "failed", "canceled", "expired", "in_review"})


@dataclass(frozen=True)
class Order:
    """What is posted. The token tells the simulated PSP what to do."""

    token: str
    amount: str
    currency: str


ORDERS = (
    Order("tok_ok", "100.50", "MXN"),
    Order("tok_ok", "49.90", "USD"),
    Order("tok_poison", "75.00", "MXN"),
    Order("tok_declined", "20.00", "EUR"),
    Order("tok_unavailable", "1500", "JPY"),
    Order("tok_ok", "12.345", "KWD"),
)


@dataclass(frozen=True)
class Arrival:
    """A webhook that the demo's endpoint received."""

    payment_id: str
    type: str
    at: datetime
    is_verified: bool


@dataclass
class Row:
    """One payment as seen from outside: by its answer, by reading it, by its webhook."""

    order: Order
    payment_id: str = ""
    accepted_in: timedelta | None = None
    history: list[tuple[str, datetime]] = field(default_factory=list)
    attention: str | None = None
    failure: str = ""
    webhook: Arrival | None = None
    problem: str = ""

    def update(self, view: dict[str, Any]) -> None:
        """Take in what `GET /payments/{id}` answered."""
        lines = view["history"]
        self.history = [(line["status"], datetime.fromisoformat(line["at"])) for line in lines]
        self.attention = view["attention"]
        self.failure = view["failure"]["code"] if view["failure"] else ""

    @property
    def status(self) -> str:
        """The last known status, empty before the first answer."""
        return self.history[-1][0] if self.history else ""

    @property
    def is_dead_letter(self) -> bool:
        """Whether its message is in the dead-letter queue."""
        return self.attention == DEAD_LETTER

    @property
    def is_decided(self) -> bool:
        """Whether the payment will not move by itself any more."""
        return self.status in _FINAL or self.is_dead_letter or bool(self.problem)

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be seen."""
        told = self.webhook is not None or self.is_dead_letter or bool(self.problem)
        return self.is_decided and told

    def step(self, sequence: int) -> timedelta | None:
        """How long the step that led to this line of the history took; None before it."""
        if len(self.history) < sequence:
            return None
        return self.history[sequence - 1][1] - self.history[sequence - 2][1]

    def webhook_after(self) -> timedelta | None:
        """How long after the decision the webhook came."""
        if self.webhook is None or not self.history:
            return None
        return max(self.webhook.at - self.history[-1][1], timedelta())
