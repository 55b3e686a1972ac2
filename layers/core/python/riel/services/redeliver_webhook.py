"""Send a webhook again because somebody asks: a new run of the schedule, with the same id and body.

It is written down before it is sent, so it is not lost, and asked for twice at once it is sent
once: the second finds the run that the first began. A stopped endpoint is tried for it too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from riel.errors import StoreUnavailableError
from riel.observability import count
from riel.services.webhook_message import Webhook
from riel.store.deliveries import COPY_GRACE, PENDING, Delivery

if TYPE_CHECKING:
    from riel.app import App

MAX_ROUNDS = 4
"""A delivery changes once with each attempt, so losing more races than that is a fault."""


def redeliver(app: App, delivery: Delivery) -> str:
    """Begin a new run now; return what was done. Raises StoreUnavailableError."""
    for _ in range(MAX_ROUNDS):
        again = _begun_again(app, delivery)
        if app.deliveries.save(delivery, again):
            app.webhooks_queue.send(Webhook.of_delivery(again).fields())
            count("WebhookRedelivered")
            return "sent again"
        found = app.deliveries.get(delivery.payment_id, delivery.event_id)
        if found is None:
            break
        if found.state == PENDING and found.is_asked_for and not found.tries:
            return "somebody else has just asked for it"
        delivery = found
    raise StoreUnavailableError("the delivery is contended")


def _begun_again(app: App, delivery: Delivery) -> Delivery:
    now = app.clock()
    return replace(
        delivery,
        state=PENDING,
        failure="",
        turn=delivery.turn + 1,
        tries=0,
        next_at=now,
        due_at=now + COPY_GRACE,
        is_asked_for=True,
    )
