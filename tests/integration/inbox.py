"""Takes PSPs' events in and looks into them, as the two functions do; for the tests of both."""

from __future__ import annotations

from typing import Any

from riel import ids
from riel.app import App
from riel.domain.payment import Payment
from riel.observability import metrics
from riel.services.process_gateway_event import InboxStep, process_gateway_event
from riel.services.receive_gateway_event import receive_gateway_event
from riel.store.inbox import InboxEvent
from tests.gateway_events import event_body, sign

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def counted(name: str) -> float:
    values: list[float] = metrics.metric_set.get(name, {}).get("Value", [])
    return sum(values)


def receive(app: App, payment_id: str, event_id: str = "evt_1", **fields: Any) -> str:
    """An event comes in over HTTP; its message is taken off the queue."""
    gateway = fields.pop("gateway", "simulator")
    body = event_body(payment_id, event_id, **fields)
    receive_gateway_event(app, gateway, sign(body, at=app.clock()), body)
    drain(app)
    return ids.inbox_id(gateway, event_id)


def drain(app: App) -> None:
    for message in app.gateway_events_queue.receive(0):
        app.gateway_events_queue.delete(message.receipt)


def process(app: App, inbox_id: str, waits: int = 0) -> str:
    return process_gateway_event(app, InboxStep(inbox_id, waits, TRACE), receives=1)


def event(app: App, inbox_id: str) -> InboxEvent:
    found = app.inbox.get(inbox_id)
    assert found is not None
    return found


def payment(app: App, payment_id: str) -> Payment:
    found = app.payments.get(payment_id)
    assert found is not None
    return found


def item(app: App, inbox_id: str) -> dict[str, Any]:
    key: Any = {"pk": {"S": inbox_id}, "sk": {"S": "inbox"}}
    return dict(app.dynamodb.get_item(TableName="payments", Key=key)["Item"])
