"""Old and new code at once, as in every deployment: each reads what the other wrote (FC-74).

A later version is known by a field that this one has never heard of; an earlier one by the lack of
every field that can be lacking.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.simulator.charges import Charge
from functions.simulator.table import ChargeTable
from riel import ids
from riel.app import App
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Payment
from riel.domain.refund import Refund, RefundStatus, RefundTransition, reserve
from riel.errors import MalformedMessageError
from riel.services.cancel_payment import Cancellation, cancel_payment
from riel.services.inbox_step import InboxStep
from riel.services.process_payment import Step, process_payment
from riel.services.steps import RefundStep
from riel.services.webhook_message import Webhook
from riel.store import outbox
from riel.store.deliveries import Attempt, Delivery
from riel.store.endpoints import Endpoint
from riel.store.inbox import InboxEvent, KeptBody, State
from riel.store.merchants import Caller, Limits, Merchant
from riel.store.outbox import read_event
from tests.builders import NOON, FakeGateway, make_payment, store_payment
from tests.payments import VOUCHER, store_awaiting, store_completed

LATER = {"S": "what a later version writes"}
FIRST_FIELDS = {
    *("pk", "sk", "listing_pk", "listing_sk", "merchant_id", "livemode", "amount_minor"),
    *("currency", "method", "gateway", "idempotency_key", "fingerprint", "history", "status"),
    "sequence",
}
"""Without these no payment was ever written."""


def item_of(aws: Any, pk: str, sk: str) -> dict[str, Any]:
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    found: dict[str, Any] = aws.get_item(TableName="payments", Key=key)["Item"]
    return found


def write_as_later(aws: Any, pk: str, sk: str) -> None:
    """Let a later version have written the item: a field of its own, and one in each part of it."""
    item = item_of(aws, pk, sk) | {"later": LATER}
    for part in item.values():
        for inner in (part, *part.get("L", ())):
            inner.get("M", {})["later"] = LATER
    aws.put_item(TableName="payments", Item=item)


def test_fc_74_a_payment_of_a_later_version_is_processed_and_keeps_what_we_do_not_know(
    app: App, aws: Any, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    write_as_later(aws, payment.payment_id, "payment")

    done = process_payment(app, Step(payment.payment_id), receives=1)

    item = item_of(aws, payment.payment_id, "payment")
    assert done == "completed"
    assert item["later"] == LATER
    assert item["history"]["L"][0]["M"]["later"] == LATER
    assert len(gateway.charges) == 1


def test_fc_74_a_payment_of_the_first_version_is_processed(
    app: App, aws: Any, gateway: FakeGateway
) -> None:
    payment = store_payment(app, description="d", metadata={"a": "1"}, reference="r")
    item = item_of(aws, payment.payment_id, "payment")
    assert set(item) > FIRST_FIELDS
    aws.put_item(TableName="payments", Item={name: item[name] for name in FIRST_FIELDS})

    assert process_payment(app, Step(payment.payment_id), receives=1) == "completed"
    assert len(gateway.charges) == 1


def test_fc_74_a_refund_of_a_later_version_is_read(app: App, aws: Any) -> None:
    payment = store_completed(app)
    refund = Refund(
        refund_id=ids.refund_id("demo", False, payment.payment_id, "key-r"),
        payment_id=payment.payment_id,
        merchant_id="demo",
        amount=Money(50, "MXN"),
        fingerprint="f",
        gateway="simulator",
        history=(RefundTransition(1, RefundStatus.PENDING, NOON, "created"),),
    )
    after = reserve(payment, refund.amount)
    assert isinstance(after, Payment)
    app.refunds.create(payment, after, refund, payment_created("evt_1", payment))

    write_as_later(aws, payment.payment_id, f"refund#{refund.refund_id}")

    assert app.refunds.of_payment(payment.payment_id) == [refund]


def test_fc_74_a_voucher_of_a_later_version_is_read(app: App, aws: Any) -> None:
    payment = store_awaiting(app)

    write_as_later(aws, payment.payment_id, "payment")

    found = app.payments.get(payment.payment_id)
    assert item_of(aws, payment.payment_id, "payment")["next_action"]["M"]["later"] == LATER
    assert found is not None
    assert found.next_action == VOUCHER


def test_fc_74_a_delivery_of_a_later_version_goes_on_and_keeps_what_we_do_not_know(
    app: App, aws: Any
) -> None:
    begun = Delivery("pay_1", "evt_1", "demo", "payment.completed", "https://example.com", NOON)
    tried = begun.after(Attempt("2026-04-17T12:00:01.000Z", 500, 12))
    assert app.deliveries.save(begun, tried)
    write_as_later(aws, "pay_1", "delivery#evt_1")

    read = app.deliveries.get("pay_1", "evt_1")

    assert read is not None
    assert read.attempts == tried.attempts
    assert app.deliveries.save(read, read.given_up("out_of_attempts"))
    assert item_of(aws, "pay_1", "delivery#evt_1")["later"] == LATER


def test_fc_74_an_endpoint_of_a_later_version_is_opened_and_keeps_what_we_do_not_know(
    app: App, aws: Any
) -> None:
    new = Endpoint("demo", "https://example.com")
    stopped = Endpoint("demo", new.url, NOON, NOON, NOON, "gone")
    assert app.endpoints.save(new, stopped)
    write_as_later(aws, new.endpoint_id, "endpoint")

    assert app.endpoints.save(stopped, new)

    item = item_of(aws, new.endpoint_id, "endpoint")
    assert item["later"] == LATER
    assert not {"stopped_at", "why", "due_pk", "due_sk"} & item.keys()


def test_fc_74_an_answer_that_a_later_version_kept_is_given_again(app: App, aws: Any) -> None:
    payment = store_payment(app)
    caller = Caller(Merchant("demo", "Demo", (), Limits(1, 1), ""), livemode=False)
    told = cancel_payment(app, caller, "key-c", payment.payment_id, "req_1")
    (record,) = aws.scan(TableName="idempotency")["Items"]
    kept = json.loads(record["data"]["S"]) | {"later": "x"}
    aws.put_item(TableName="idempotency", Item=record | {"data": {"S": json.dumps(kept)}})

    again = cancel_payment(app, caller, "key-c", payment.payment_id, "req_2")

    assert again == Cancellation(payment.payment_id, "canceled", "req_1", is_replay=True)
    assert told.is_replay is False


def test_fc_74_a_charge_that_a_later_simulator_keeps_is_read(aws: Any) -> None:
    table = ChargeTable(aws, "simulator")
    about = ("key-1", "ch_1", "simulator", "pay_1", "pay_1")
    charge = Charge(*about, 10_050, "MXN", "card", "succeeded", "2026-04-17T12:00:00Z")
    assert table.put(charge) == (charge, True)
    pk = {"pk": {"S": "charge#simulator#key-1"}}
    item = aws.get_item(TableName="simulator", Key=pk)["Item"]
    aws.put_item(TableName="simulator", Item=item | {"later": LATER})

    assert table.get("simulator", "key-1") == charge


def test_fc_74_an_event_of_a_psp_that_a_later_version_stored_is_read(app: App, aws: Any) -> None:
    event = InboxEvent("inb_1", "simulator", "evt_1", NOON, KeptBody("0" * 64, 2, "utf-8", "{}"))
    assert app.inbox.put(event) is None

    write_as_later(aws, "inb_1", "inbox")

    assert app.inbox.get("inb_1") == event
    assert app.inbox.settle(event, State.PROCESSED, "looked")
    assert item_of(aws, "inb_1", "inbox")["later"] == LATER


def test_fc_74_an_event_of_the_outbox_that_a_later_version_wrote_is_read() -> None:
    event = payment_created("evt_1", make_payment())
    item = outbox.put_action("outbox", event)["Put"]["Item"]

    assert read_event({**item, "later": LATER}) == event


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Step, {"payment_id": "pay_1", "waits": 2, "look": True}),
        (RefundStep, {"payment_id": "pay_1", "refund_id": "re_1", "waits": 2}),
        (InboxStep, {"inbox_id": "inb_1", "waits": 2, "traceparent": ""}),
        (Webhook, {"merchant_id": "m", "payment_id": "p", "event_id": "e", "waits": 2}),
    ],
)
def test_fc_74_a_step_that_a_later_version_sent_is_read(kind: Any, fields: dict[str, Any]) -> None:
    read = kind.read({**fields, "later": 1})

    assert read == kind.read(fields)
    assert read.waits == 2


@pytest.mark.parametrize(
    "fields", [{"merchant_id": "m", "payment_id": "p", "later": 1}, {"later": 1}, ["event_id"], "x"]
)
def test_a_message_of_a_webhook_without_what_it_needs_is_refused(fields: Any) -> None:
    with pytest.raises(MalformedMessageError, match="webhooks message"):
        Webhook.read(fields)
