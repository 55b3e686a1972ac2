"""Old and new code at once, as in every deployment: each reads what the other wrote (FC-74).

A later version is known by a field that this one has never heard of; an earlier one by the lack of
every field that can be lacking.
"""

from __future__ import annotations

from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Payment
from riel.domain.refund import Refund, RefundStatus, RefundTransition, reserve
from riel.services.inbox_step import InboxStep
from riel.services.process_payment import Step, process_payment
from riel.services.steps import RefundStep
from riel.store import outbox
from riel.store.inbox import InboxEvent, KeptBody, State
from riel.store.outbox import read_event
from tests.builders import NOON, FakeGateway, make_payment, store_payment
from tests.payments import store_completed

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
    """Let a later version have written the item: a field of its own, and one in its history."""
    item = item_of(aws, pk, sk) | {"later": LATER}
    for line in item.get("history", {}).get("L", ()):
        line["M"]["later"] = LATER
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
    ],
)
def test_fc_74_a_step_that_a_later_version_sent_is_read(kind: Any, fields: dict[str, Any]) -> None:
    read = kind.read({**fields, "later": 1})

    assert read == kind.read(fields)
    assert read.waits == 2
