"""A message of the webhooks queue: one turn of one delivery.

The relay's message carries the event as it was frozen; every later one names it only, and the
sender reads the rest from the delivery and the outbox.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel.domain.instants import from_text, to_text
from riel.errors import MalformedMessageError
from riel.store.deliveries import Delivery
from riel.store.items import from_fields

if TYPE_CHECKING:
    from riel.domain.events import Event

MAX_COPIES = 4
"""How often a turn is put off by a delayed copy, of 1, 2, 4 and 8 seconds; then by the index, whose
own messages begin here: so a turn that is held for long costs one message each time."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """`waits` is how often this turn was put off, up to `MAX_COPIES`.

    The last five are those of the relay alone.
    """

    merchant_id: str
    payment_id: str
    event_id: str
    turn: int = 1
    waits: int = 0
    type: str = ""
    url: str = ""
    at: str = ""
    body: str = ""
    traceparent: str = ""

    @classmethod
    def read(cls, fields: Any) -> Webhook:
        """Read a message's body; raises MalformedMessageError."""
        try:
            webhook = from_fields(cls, fields)
            if not (webhook.merchant_id and webhook.payment_id and webhook.event_id):
                raise ValueError("an id is empty")
            if webhook.turn < 1 or webhook.waits < 0:
                raise ValueError("a count is out of range")
            return webhook
        except (TypeError, ValueError) as error:
            raise MalformedMessageError(f"webhooks message: {error!r}") from error

    @classmethod
    def of_event(cls, event: Event) -> Webhook:
        """The first message about an event, which carries all of it."""
        return cls(
            merchant_id=event.merchant_id,
            payment_id=event.payment_id,
            event_id=event.event_id,
            type=event.type,
            url=event.webhook_url or "",
            at=to_text(event.at),
            body=event.body,
            traceparent=event.traceparent,
        )

    @classmethod
    def of_delivery(cls, delivery: Delivery) -> Webhook:
        """The message about a delivery's present turn."""
        return cls(delivery.merchant_id, delivery.payment_id, delivery.event_id, delivery.turn)

    def fields(self) -> dict[str, Any]:
        """Return what is sent: nothing that is empty."""
        return {name: value for name, value in asdict(self).items() if value != ""}

    def new_delivery(self) -> Delivery:
        """Begin the delivery that the relay's message is about; raises MalformedMessageError."""
        return Delivery(
            payment_id=self.payment_id,
            event_id=self.event_id,
            merchant_id=self.merchant_id,
            type=self.type,
            url=self.url,
            event_at=self._event_at(),
            traceparent=self.traceparent,
        )

    def _event_at(self) -> datetime:
        if not (self.type and self.url and self.body and self.turn == 1):
            raise MalformedMessageError("the message names a delivery that does not exist")
        try:
            return from_text(self.at)
        except ValueError as error:
            raise MalformedMessageError(f"webhooks message: {error!r}") from error
