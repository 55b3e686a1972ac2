"""The sweeper on the engine, started by the schedule alone: it ticks once a minute."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.names import Names
from riel import ids
from riel.clock import utc_now
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Status, Transition
from riel.store import outbox
from riel.store.payment_items import write_payment
from tests.builders import make_payment
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint, running_endpoint

NAMES = Names("local")
SECONDS = 240
"""Two ticks, and the age that an event must have before anybody looks for its effect."""


@dataclass
class Stuck:
    """What only the sweeper can bring on."""

    voucher: str
    lost: str
    endpoint: Endpoint


@pytest.fixture(scope="module")
def stuck(merchant: Merchant, engine_aws: Aws) -> Any:
    """Both are made before anybody waits, so that they wait for the same ticks."""
    with running_endpoint() as endpoint:
        voucher = merchant.create("tok_expires_soon", method="oxxo", webhook_url=endpoint.url)
        yield Stuck(voucher, lose(engine_aws), endpoint)


def lose(aws: Aws) -> str:
    """Store a payment whose event the relay never sees; return the payment's id.

    The relay is told of another event in its place, about which nobody is told, and the filter of
    its mapping keeps the change to the real one from it.
    """
    created = Transition(1, Status.PENDING, utc_now(), "created")
    payment = make_payment(
        idempotency_key=str(uuid.uuid4()),
        history=(created,),
        amount=Money(10_050, "MXN"),
        payment_method_token="tok_ok",
        webhook_url=None,
    )
    event = payment_created(ids.event_id(payment.payment_id, 1), payment)
    table = NAMES.table("outbox")
    for written in (replace(event, type="payment.completed"), event):
        item = outbox.put_action(table, written)["Put"]["Item"]
        aws.dynamodb.put_item(TableName=table, Item=item)
    aws.dynamodb.put_item(TableName=NAMES.table("payments"), Item=write_payment(payment))
    return payment.payment_id


def test_fc_40_a_voucher_that_nobody_pays_expires_and_its_merchant_is_told(
    merchant: Merchant, stuck: Stuck
) -> None:
    payment = merchant.wait(stuck.voucher, lambda p: p["status"] == "expired", SECONDS)

    lines = [line["status"] for line in payment["history"]]
    assert lines == ["pending", "processing", "awaiting_payment", "expired"]
    until(
        lambda: [body["type"] for body in stuck.endpoint.bodies()],
        lambda types: sorted(types) == ["payment.awaiting_payment", "payment.expired"],
    )


def test_fc_60_an_event_that_the_relay_never_saw_is_published_by_the_sweeper(
    merchant: Merchant, stuck: Stuck
) -> None:
    payment = merchant.wait(stuck.lost, lambda p: p["status"] == "completed", SECONDS)

    assert payment["received_amount"] == "100.50"
    assert len(merchant.charges(stuck.lost)) == 1
