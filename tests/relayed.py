"""One webhook as the relay sends it, its delivery, and the messages that follow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from riel.app import App
from riel.domain.instants import to_text
from riel.services.webhook_message import Webhook
from riel.store.deliveries import Delivery
from riel.store.queues import Queue
from tests.builders import NOON

BODY = '{"type":"payment.completed","data":{"payment_id":"pay_1"}}'


def webhook(url: str, **fields: Any) -> Webhook:
    """The relay's message, which carries the event."""
    given = Webhook("demo", "pay_1", "evt_1", 1, 0, "payment.completed", url, to_text(NOON), BODY)
    return replace(given, **fields)


def delivery_of(app: App) -> Delivery:
    found = app.deliveries.get("pay_1", "evt_1")
    assert found is not None
    return found


def messages(queue: Queue) -> list[Webhook]:
    found = []
    for message in queue.receive(30):
        found.append(Webhook.read(json.loads(message.body)))
        queue.delete(message.receipt)
    return found
