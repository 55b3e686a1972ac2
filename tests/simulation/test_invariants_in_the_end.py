"""Invariants of a run that is over: each can fail, by the smallest thing that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.simulator.charges import Status as Charged
from infra.simulation.deployment import Deployment
from infra.simulation.invariants.books import Stop
from infra.simulation.invariants.in_the_end import Ended, check_shift
from riel import ids
from riel.domain.payment import Attention, Payment, Status
from riel.store.deliveries import FAILED
from riel.store.items import encode
from riel.store.keys import STOPPED_ENDPOINTS
from riel.store.payment_items import write_payment
from tests.builders import NOON, make_payment
from tests.simulation.stand import (
    START,
    End,
    Stand,
    accepted,
    delivered,
)

VOUCHER: dict[str, Any] = {"voucher": "93", "state": Charged.AWAITING, "received": 0}
AGREES = "the PSP agrees"
GENUINE = "webhooks are genuine"


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def end(stand: Stand, deployment: Deployment) -> End:
    return End(stand, deployment)


def test_a_run_that_ended_well_holds_everything(stand: Stand, end: End) -> None:
    payment = stand.completed()
    end.receive(stand.books.events[ids.event_id(payment.payment_id, 3)])
    end.shop.payments.append(accepted(end.shop, payment))
    end.shop.seen[payment.payment_id] = [("pending",), ("pending", "processing", "completed")]

    assert end.broken() == []


def test_a_webhook_that_was_never_tried_is_seen(stand: Stand, end: End) -> None:
    stand.completed()

    assert end.broken() == ["every event is told"]


@pytest.mark.parametrize(
    ("stop", "broken"),
    [
        (Stop("demo", "http://x", STOPPED_ENDPOINTS), []),
        (Stop("demo", "http://x", ""), ["a stopped endpoint is seen"]),
        (Stop("demo", "http://x", STOPPED_ENDPOINTS, is_over=True), ["a stop lasts"]),
    ],
)
def test_a_stopped_endpoint_is_listed_and_stays_so_until_it_answers(
    stop: Stop, broken: list[str], end: End, stand: Stand
) -> None:
    stand.books.stops["end_1"] = stop

    assert end.broken() == broken


def test_a_webhook_that_failed_needs_its_letter(stand: Stand, end: End) -> None:
    payment = stand.completed()
    event_id = ids.event_id(payment.payment_id, 3)
    stand.write(delivered(payment, FAILED))

    assert end.broken() == ["every event is told"]
    end.letters["webhooks-dlq"] = [{"event_id": event_id}]
    assert end.broken() == []


@pytest.mark.parametrize("how", [{"secret": "whsec_b3RoZXI="}, {"body": b"{}"}])
def test_a_webhook_that_was_forged_is_seen(stand: Stand, end: End, how: dict[str, Any]) -> None:
    payment = stand.completed()

    end.receive(stand.books.events[ids.event_id(payment.payment_id, 3)], **how)

    assert end.broken() == [GENUINE]


def test_a_webhook_at_another_merchants_endpoint_is_seen(stand: Stand, end: End) -> None:
    payment = stand.moved(stand.created(merchant_id="other"), Status.CANCELED)
    end.receive(stand.books.events[ids.event_id(payment.payment_id, 2)])

    assert end.broken() == ["nobody sees another's"]


def test_a_payment_that_was_accepted_and_is_gone_is_seen(end: End) -> None:
    end.shop.payments.append(accepted(end.shop, make_payment()))

    assert end.broken() == ["no payment is lost"]


def test_a_payment_that_stands_still_is_seen_unless_a_letter_names_it(
    stand: Stand, end: End
) -> None:
    payment = stand.moved(stand.created(), Status.PROCESSING)

    assert end.broken() == ["no payment is lost"]
    end.letters["payments-dlq"] = [{"payment_id": payment.payment_id}]
    assert end.broken() == []


def test_a_key_that_made_two_payments_is_seen(stand: Stand, end: End) -> None:
    first, second = stand.created(), stand.created(idempotency_key="key-2")
    end.letters["payments-dlq"] = [{"a": first.payment_id, "b": second.payment_id}]
    end.shop.payments += [accepted(end.shop, first), accepted(end.shop, second, key="key-1")]

    assert end.broken() == ["a key is one payment", "a key is one payment"]


def test_what_a_client_read_must_hold(stand: Stand, end: End) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.CANCELED)
    end.shop.seen[payment.payment_id] = [("pending", "processing")]

    assert end.broken() == ["what was told holds"]


def test_reading_anothers_payment_is_seen(stand: Stand, end: End) -> None:
    payment = stand.moved(stand.created(merchant_id="other", webhook_url=None), Status.CANCELED)
    end.shop.seen[payment.payment_id] = [("pending",)]

    assert end.broken() == ["nobody sees another's"]


def _unpaid(stand: Stand) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.PROCESSING)
    stand.moved(payment, Status.COMPLETED, received_minor=payment.amount.minor)


def _paid_and_failed(stand: Stand) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.PROCESSING)
    stand.charged(payment)
    stand.moved(payment, Status.FAILED)


def _paid_otherwise(stand: Stand) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.PROCESSING)
    stand.charged(payment, amount=1)
    stand.moved(payment, Status.COMPLETED, received_minor=payment.amount.minor)


def _charged_for_nobody(stand: Stand) -> None:
    stand.charged(make_payment())


@pytest.mark.parametrize(
    "breaks", [_unpaid, _paid_and_failed, _paid_otherwise, _charged_for_nobody]
)
def test_what_the_psp_says_otherwise_is_seen(
    stand: Stand, end: End, breaks: Callable[[Stand], None]
) -> None:
    breaks(stand)

    assert set(end.broken()) == {AGREES}


def test_a_lease_that_runs_on_is_seen(stand: Stand, end: End) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.CANCELED)
    stand.write({**write_payment(payment), "lease_until": encode(int(START + 9) * 1000)})

    assert end.broken() == ["no lease is held"]


def test_what_is_due_and_left_is_seen_unless_it_is_a_dead_letter(stand: Stand, end: End) -> None:
    payment = stand.moved(stand.created(webhook_url=None), Status.CANCELED)
    overdue = replace(payment, due_at=NOON - timedelta(seconds=1))
    stand.write(write_payment(overdue))

    assert end.broken() == ["nothing is overdue"]
    stand.write(write_payment(replace(overdue, attention=Attention.DEAD_LETTER)))
    assert end.broken() == []


def test_what_an_operator_leaves_behind_is_seen(stand: Stand, end: End) -> None:
    stand.moved(stand.created(), Status.PROCESSING, Status.IN_REVIEW)
    letters: dict[str, list[dict[str, Any]]] = {"payments-dlq": [{"payment_id": "pay_x"}]}
    ended = Ended(end.kernel, end.books, [end.shop], [end.endpoint], letters)

    found = [name for name, _ in check_shift(ended, since=1.0)]

    assert found == ["what a person decides is over", "what is sent back ends"]


def test_a_canceled_voucher_that_can_be_paid_is_seen(stand: Stand, end: End) -> None:
    payment = stand.moved(_waiting(stand), Status.CANCELED)
    stand.charged(payment, **VOUCHER)

    assert end.broken() == ["a canceled voucher is void"]


def test_money_that_nobody_has_noted_is_seen(stand: Stand, end: End) -> None:
    payment = _waiting(stand)
    stand.charged(payment, **VOUCHER | {"received": 10})

    assert end.broken() == ["money is noted"]


def test_late_money_that_is_kept_is_seen(stand: Stand, end: End) -> None:
    stand.moved(_waiting(stand), Status.CANCELED, received_minor=10)

    assert end.broken() == ["late money goes back"]


def test_a_voucher_that_nothing_ends_is_seen(stand: Stand, end: End) -> None:
    payment = _waiting(stand)
    stand.write(write_payment(replace(payment, due_at=None)))

    assert end.broken() == ["no payment is lost"]


def _waiting(stand: Stand) -> Payment:
    payment = stand.moved(stand.created(webhook_url=None), Status.PROCESSING)
    return stand.moved(payment, Status.AWAITING_PAYMENT, due_at=NOON + timedelta(days=1))
