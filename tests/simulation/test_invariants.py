"""Invariants of each step: each can fail, by the smallest step that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.simulator.charges import RefundStatus
from infra.simulation.deployment import Deployment
from infra.simulation.dynamodb import Change
from infra.simulation.invariants.always import EDGES, REFUND_EDGES, check_step
from infra.simulation.invariants.books import Books
from infra.simulation.invariants.load import MARGIN, Load
from infra.simulation.kernel import Kernel
from infra.simulation.sqs import Sqs
from riel import ids
from riel.domain import payment as payments
from riel.domain import refund as refunds
from riel.domain.events import payment_created, payment_moved
from riel.domain.money import Money
from riel.domain.payment import Status
from riel.store.items import encode
from riel.store.payment_items import write_payment
from riel.store.refund_items import write_refund
from tests.builders import NOON, make_payment
from tests.simulation.stand import (
    START,
    Stand,
    after,
    counting,
    delivered,
    event_item,
    make_refund,
    refund_event_item,
)

HELD = "a change and its event commit together"
COUNTED = "refunds are counted"


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_the_edges_are_those_of_the_product() -> None:
    assert {s: EDGES[s] for s in EDGES if s} == payments.TRANSITIONS
    assert {s: REFUND_EDGES[s] for s in REFUND_EDGES if s} == refunds.TRANSITIONS


def test_what_is_written_as_it_should_be_breaks_nothing(stand: Stand) -> None:
    payment = stand.completed()
    refund = make_refund(payment)
    counted = replace(payment, reserved_minor=refund.amount.minor, refund_count=1)

    assert (
        stand.write(counting(counted), write_refund(refund), refund_event_item(counted, refund))
        == []
    )


def test_a_payment_without_its_event_is_seen(stand: Stand) -> None:
    assert stand.write(write_payment(make_payment())) == [HELD]


def test_an_event_without_its_change_is_seen(stand: Stand) -> None:
    payment = stand.created()

    assert stand.write(event_item(payment_moved, after(payment, Status.CANCELED))) == [HELD]


def test_a_final_status_that_is_overwritten_is_seen(stand: Stand) -> None:
    payment = stand.completed()
    line = payments.Transition(4, Status.FAILED, NOON, "late")
    failed = replace(payment, history=(*payment.history, line))

    found = stand.write(write_payment(failed), event_item(payment_moved, failed))

    assert found == ["only allowed edges"]


def test_a_history_that_forgets_is_seen(stand: Stand) -> None:
    payment = stand.moved(stand.created(), Status.PROCESSING)

    assert "history only grows" in stand.write(
        write_payment(replace(payment, history=payment.history[:1]))
    )


def test_a_gap_in_a_history_is_seen(stand: Stand) -> None:
    payment = stand.created()
    skipped = payments.Transition(3, Status.PROCESSING, NOON, "claimed")

    found = stand.write(write_payment(replace(payment, history=(*payment.history, skipped))))

    assert found == ["history has no gaps"]


def test_an_amount_that_changes_is_seen(stand: Stand) -> None:
    payment = stand.created()

    found = stand.write(write_payment(replace(payment, amount=Money(1, "MXN"))))

    assert found == ["what was asked for stays"]


def test_a_fence_that_goes_back_is_seen(stand: Stand) -> None:
    payment = stand.created()
    assert stand.write({**write_payment(payment), "fence": encode(2)}) == []

    assert stand.write({**write_payment(payment), "fence": encode(1)}) == ["fences grow"]


def test_an_event_that_is_written_over_is_seen(stand: Stand) -> None:
    payment = stand.created()
    event = event_item(payment_created, payment)

    assert "events never change" in stand.write({**event, "body": encode("other")})


def test_what_is_deleted_is_seen(stand: Stand) -> None:
    gone = Change("payments", "REMOVE", {"pk": {"S": "pay_x"}}, {}, None, START, 1)

    step = stand.books.note([gone])

    assert [name for name, _ in check_step(stand.books, step, bool)] == ["nothing is deleted"]


def test_what_the_time_to_live_deletes_is_no_loss(stand: Stand) -> None:
    gone = Change("outbox", "REMOVE", {"pk": {"S": "x"}}, {}, None, START, 1, by_ttl=True)

    assert list(check_step(stand.books, stand.books.note([gone]), bool)) == []


def test_a_refund_that_its_payment_does_not_count_is_seen(stand: Stand) -> None:
    payment = stand.completed()
    refund = make_refund(payment)

    assert stand.write(write_refund(refund), refund_event_item(payment, refund)) == [COUNTED]


def test_refunds_beyond_what_came_are_seen(stand: Stand) -> None:
    payment = stand.completed()
    refund = make_refund(payment, amount=Money(payment.amount.minor + 1, "MXN"))
    counted = replace(payment, reserved_minor=refund.amount.minor, refund_count=1)

    found = stand.write(counting(counted), write_refund(refund), refund_event_item(counted, refund))

    assert found == ["refunds within what came"]


def test_a_second_charge_is_seen(stand: Stand) -> None:
    payment = stand.created()
    assert stand.charged(payment) == []

    assert stand.charged(payment, charge_id="sim_2", gateway="standby") == ["charged once"]


def test_a_refund_that_was_made_twice_is_seen(stand: Stand) -> None:
    payment = stand.created()
    one = {"refund_id": "re_a", "amount": 10, "status": RefundStatus.SUCCEEDED}

    found = stand.charged(payment, refunds={"k1": one, "k2": one})

    assert found == ["refunded once"]


def test_a_delivery_that_never_arrived_is_seen(stand: Stand) -> None:
    payment = stand.completed()
    item = delivered(payment)

    assert stand.write(item) == ["delivered is what arrived"]
    stand.arrived.add(ids.event_id(payment.payment_id, 3))
    stand.books.deliveries.clear()
    assert stand.write(item) == []


def test_a_queue_that_grows_by_itself_is_seen(deployment: Deployment) -> None:
    sqs = Sqs(Kernel(1, START), deployment.queues)
    load = Load(sqs, Books("payments", "outbox"))

    for _ in range(MARGIN + 1):
        sqs.send(deployment.named("payments"), "{}")
        load.note()

    assert [name for name, _ in load.check()] == ["queues are bounded", "messages are bounded"]


def test_what_moves_is_named_until_it_rests(stand: Stand) -> None:
    payment = stand.created()
    assert stand.books.moving(START) == [payment.payment_id]

    stand.moved(payment, Status.CANCELED)

    event_id = ids.event_id(payment.payment_id, 2)
    assert stand.books.moving(START) == [event_id]
    stand.arrived.add(event_id)
    stand.write(delivered(payment, sequence=2))
    assert stand.books.moving(START) == []


def test_two_payments_under_one_reference_are_seen(stand: Stand) -> None:
    stand.created(reference="order-1")
    second = make_payment(reference="order-1", idempotency_key="key-2")

    found = stand.write(write_payment(second), event_item(payment_created, second))

    assert found == ["a reference is one payment's"]
