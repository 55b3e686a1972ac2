"""What merchants are told is frozen from the payment's committed version."""

from __future__ import annotations

import json
from datetime import timedelta

from riel import ids
from riel.domain.events import MERCHANT_EVENTS, payment_moved
from riel.domain.payment import Applied, Attention, Change, Status, apply
from tests.builders import NOON, make_payment


def test_the_body_has_the_shape_that_the_contract_names() -> None:
    payment = make_payment(metadata={"order": "pan y café"})
    for n, status in enumerate((Status.PROCESSING, Status.COMPLETED), start=1):
        result = apply(payment, Change(status, NOON + timedelta(seconds=n), "test"))
        assert isinstance(result, Applied)
        payment = result.payment

    event = payment_moved("evt_x", payment)

    assert json.loads(event.body) == {
        "type": "payment.completed",
        "timestamp": "2026-04-17T12:00:02.000Z",
        "data": {
            "payment_id": payment.payment_id,
            "status": "completed",
            "processed_at": "2026-04-17T12:00:02.000Z",
            "amount": "100.50",
            "currency": "MXN",
            "received_amount": "0.00",
            "attention": None,
            "sequence": 3,
            "metadata": {"order": "pan y café"},
        },
    }


def test_a_late_payment_is_told_from_a_good_one_by_its_attention() -> None:
    payment = make_payment()
    change = Change(
        Status.COMPLETED, NOON, "test", received_minor=10_051, attention=Attention.LATE_PAYMENT
    )
    for step in (Change(Status.CANCELED, NOON, "test"), change):
        result = apply(payment, step)
        assert isinstance(result, Applied)
        payment = result.payment

    data = json.loads(payment_moved("evt_x", payment).body)["data"]

    assert (data["amount"], data["received_amount"]) == ("100.50", "100.51")
    assert (data["status"], data["attention"]) == ("completed", "late_payment")


def test_merchants_are_told_of_every_status_but_the_two_that_are_ours() -> None:
    assert set(Status) - set(MERCHANT_EVENTS) == {Status.PENDING, Status.PROCESSING}


def test_ids_are_derived_from_their_cause_alone() -> None:
    assert ids.payment_id("m", False, "k") == ids.payment_id("m", False, "k")
    distinct = {
        ids.payment_id("m", False, "k"),
        ids.payment_id("m", True, "k"),
        ids.payment_id("mk", False, ""),
        ids.payment_id("", False, "mk"),
        ids.payment_id("n", False, "k"),
    }
    assert len(distinct) == 5
    assert all(ids.looks_like("pay", one) for one in distinct)
    assert ids.event_id("pay_x", 1) != ids.event_id("pay_x", 2)
    assert ids.gateway_key("p", "simulator", 1) != ids.gateway_key("p", "simulator", 2)


def test_only_well_formed_ids_look_like_ids() -> None:
    good = ids.payment_id("m", False, "k")
    bad = ("", "pay_", good.upper(), good + "a", good[:-1], "evt" + good[3:], good[:-1] + "0")
    for text in bad:
        assert not ids.looks_like("pay", text)


def test_shards_are_even_enough() -> None:
    counts = [0] * 16
    for n in range(16_000):
        counts[ids.spread(f"pay_{n}", 16)] += 1

    assert max(counts) < 1_200
