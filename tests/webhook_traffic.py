"""Webhooks without payments: merchants and events that a running stage takes for its own.

An event is put where a committed change puts it, so the stream, the relay, the queue and the sender
do all the rest; only the gateways' time is left out.
"""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local.aws import CREDENTIALS
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel import ids
from riel.app import App
from riel.clock import utc_now
from riel.config import Config
from riel.domain.events import Event
from riel.domain.instants import from_text, to_text
from riel.services.merchants import create_merchant
from riel.store import outbox
from riel.store.merchants import Limits

NAMES = Names("local")
BATCH = 25
"""As many as one BatchWriteItem takes."""
WRITERS = 8


def open_app(platform: LocalPlatform) -> App:
    """Open the product on a running stage, as the operator does."""
    state = platform.state
    config = Config(
        payments_table=NAMES.table("payments"),
        outbox_table=NAMES.table("outbox"),
        merchants_table=NAMES.table("merchants"),
        limits_table=NAMES.table("limits"),
        webhooks_queue_url=state.queues["webhooks"],
        webhooks_dlq_url=state.queues["webhooks-dlq"],
        webhook_key=NAMES.webhook_key,
    )
    aws = {
        "endpoint_url": state.aws_endpoint,
        "region_name": state.region,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    return App(config, aws=aws)


def new_merchant(app: App, name: str) -> str:
    """Create a merchant; return its id."""
    merchant = create_merchant(app, name, False, Limits(100, 100)).record.merchant
    return merchant.merchant_id


def new_events(merchant_id: str, url: str, number: int) -> list[Event]:
    """Make events of so many payments that were completed now."""
    return [_new_event(merchant_id, url) for _ in range(number)]


def publish(app: App, events: list[Event]) -> None:
    """Write events to the outbox, side by side."""
    table = app.config.outbox_table
    items = [outbox.put_action(table, event)["Put"]["Item"] for event in events]
    batches = [items[n : n + BATCH] for n in range(0, len(items), BATCH)]

    def write(batch: list[Any]) -> None:
        puts: list[Any] = [{"PutRequest": {"Item": item}} for item in batch]
        answer = app.dynamodb.batch_write_item(RequestItems={table: puts})
        assert not answer["UnprocessedItems"]

    _ = app.dynamodb
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, batches))


def _new_event(merchant_id: str, url: str) -> Event:
    payment_id = ids.payment_id(merchant_id, False, uuid.uuid4().hex)
    at = to_text(utc_now())
    body = {"type": "payment.completed", "timestamp": at, "data": {"payment_id": payment_id}}
    return Event(
        event_id=ids.event_id(payment_id, 3),
        type="payment.completed",
        payment_id=payment_id,
        merchant_id=merchant_id,
        sequence=3,
        at=from_text(at),
        body=json.dumps(body),
        webhook_url=url,
        gateway="simulator",
    )
