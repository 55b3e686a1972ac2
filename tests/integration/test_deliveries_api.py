"""`GET /payments/{id}/deliveries`: every event that exists, and how far its delivery is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Payment, Status
from riel.domain.refund import RefundStatus
from riel.services.merchants import seed_merchant
from riel.services.process_refund import process_refund
from riel.services.steps import RefundStep
from riel.store.deliveries import FAILED, Attempt, Delivery
from tests.builders import FakeClock, store_payment
from tests.integration.test_api import Api
from tests.payments import advance, store_completed

OTHER_KEY = "sk_test_other"


@pytest.fixture
def api(app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(app, monkeypatch)
    api.app.clock = clock
    return api


def deliveries(api: Api, payment_id: str) -> list[dict[str, Any]]:
    answer = api("GET", f"/api/v1/payments/{payment_id}/deliveries")
    assert answer["statusCode"] == 200, answer["body"]
    found: list[dict[str, Any]] = answer["json"]["data"]
    return found


def store_delivery(app: App, payment: Payment, *attempts: Attempt, **fields: Any) -> Delivery:
    """What the sender would have written about a payment's last event."""
    delivery = Delivery(
        payment_id=payment.payment_id,
        event_id=ids.event_id(payment.payment_id, payment.sequence),
        merchant_id=payment.merchant_id,
        type=f"payment.{payment.status}",
        url=payment.webhook_url or "",
        event_at=payment.history[-1].at,
    )
    told = delivery
    for attempt in attempts:
        told = told.after(attempt)
    assert app.deliveries.save(delivery, replace(told, **fields))
    return told


def test_an_event_is_shown_before_its_first_attempt(api: Api, app: App) -> None:
    """It exists with the transition that it tells of, whether or not a worker has seen it."""
    payment = store_completed(app)

    assert deliveries(api, payment.payment_id) == [
        {
            "delivery_id": ids.event_id(payment.payment_id, 3),
            "type": "payment.completed",
            "state": "pending",
            "failure": None,
            "sequence": 3,
            "refund_id": None,
            "created_at": "2026-04-17T12:00:00.000Z",
            "next_attempt_at": None,
            "attempt_count": 0,
            "attempts": [],
        }
    ]


def test_each_attempt_is_shown_with_what_was_answered(api: Api, app: App, clock: FakeClock) -> None:
    payment = store_completed(app)
    attempts = (
        Attempt("2026-04-17T12:00:01.000Z", 500, 12, answer="oh no"),
        Attempt("2026-04-17T12:00:02.000Z", 0, 8, "connection_failed"),
        Attempt("2026-04-17T12:00:04.000Z", 503, 9),
    )
    store_delivery(app, payment, *attempts, next_at=clock.now + timedelta(seconds=8))

    (shown,) = deliveries(api, payment.payment_id)

    assert (shown["state"], shown["attempt_count"]) == ("pending", 3)
    assert shown["next_attempt_at"] == "2026-04-17T12:00:08.000Z"
    assert shown["attempts"] == [
        {
            "at": "2026-04-17T12:00:01.000Z",
            "status": 500,
            "latency_ms": 12,
            "error": None,
            "answer": "oh no",
        },
        {
            "at": "2026-04-17T12:00:02.000Z",
            "status": None,
            "latency_ms": 8,
            "error": "connection_failed",
            "answer": None,
        },
        {
            "at": "2026-04-17T12:00:04.000Z",
            "status": 503,
            "latency_ms": 9,
            "error": None,
            "answer": "",
        },
    ]


def test_a_failed_delivery_says_why_and_waits_for_nothing(
    api: Api, app: App, clock: FakeClock
) -> None:
    payment = store_completed(app)
    gone = Attempt("2026-04-17T12:00:01.000Z", 410, 12)
    store_delivery(app, payment, gone, state=FAILED, failure="gone", next_at=clock.now)

    (shown,) = deliveries(api, payment.payment_id)

    assert (shown["state"], shown["failure"]) == ("failed", "gone")
    assert shown["next_attempt_at"] is None


def test_refunds_and_every_told_status_have_their_events_in_order(
    api: Api, app: App, clock: FakeClock
) -> None:
    payment = advance(app, store_payment(app), Status.PROCESSING)
    clock.advance(1)
    payment = advance(app, payment, Status.IN_REVIEW)
    clock.advance(1)
    payment = advance(app, payment, Status.COMPLETED, received_minor=10_050)
    clock.advance(1)
    path = f"/api/v1/payments/{payment.payment_id}/refunds"
    refund_id = api("POST", path, {"amount": "40.00"}, {"idempotency-key": "r"})["json"][
        "refund_id"
    ]

    before = [shown["type"] for shown in deliveries(api, payment.payment_id)]
    process_refund(app, RefundStep(payment.payment_id, refund_id), receives=1)
    shown = deliveries(api, payment.payment_id)

    assert before == ["payment.in_review", "payment.completed"], "a refund that waits is not told"
    assert [(one["type"], one["sequence"]) for one in shown] == [
        ("payment.in_review", 3),
        ("payment.completed", 4),
        ("refund.completed", 3),
    ]
    refund = app.refunds.get(payment.payment_id, refund_id)
    assert refund is not None
    assert refund.status is RefundStatus.COMPLETED
    assert [one["refund_id"] for one in shown] == [None, None, refund_id]
    assert shown[2]["delivery_id"] == ids.event_id(refund_id, 3)


def test_the_events_shown_are_those_of_the_outbox(api: Api, app: App, aws: Any) -> None:
    payment = store_completed(app)

    written = {
        item["event_id"]["S"]
        for item in aws.scan(TableName="outbox")["Items"]
        if item["type"]["S"] != "payment.created"
    }

    assert {shown["delivery_id"] for shown in deliveries(api, payment.payment_id)} <= written
    assert ids.event_id(payment.payment_id, 3) in written


def test_a_payment_without_an_address_has_no_deliveries(api: Api, app: App) -> None:
    assert deliveries(api, store_completed(app, webhook_url=None).payment_id) == []


def test_a_payment_that_is_not_decided_has_no_deliveries_yet(api: Api, app: App) -> None:
    assert deliveries(api, store_payment(app).payment_id) == []


def test_what_was_never_tried_in_14_days_has_failed(api: Api, app: App, clock: FakeClock) -> None:
    """Its body is no longer kept, so nothing can ever be sent for it."""
    payment = store_completed(app)
    clock.advance(timedelta(days=14).total_seconds())

    (shown,) = deliveries(api, payment.payment_id)

    assert (shown["state"], shown["failure"]) == ("failed", "event_expired")


@pytest.mark.parametrize("payment_id", ["pay_" + "a" * 26, "pay_x", "evt_1"])
def test_fc_24_anothers_payment_answers_like_an_unknown_one(
    api: Api, app: App, payment_id: str
) -> None:
    seed_merchant(
        app, merchant_id="other", name="O", api_key=OTHER_KEY, webhook_secret="whsec_eA=="
    )
    mine = store_completed(app).payment_id

    foreign, unknown = (
        api("GET", f"/api/v1/payments/{one}/deliveries", headers={"x-api-key": OTHER_KEY})
        for one in (mine, payment_id)
    )

    assert foreign["statusCode"] == unknown["statusCode"] == 404
    assert foreign["body"] == unknown["body"]


def test_a_live_payment_is_unknown_to_a_test_key(api: Api, app: App) -> None:
    live = store_completed(app, livemode=True)

    answer = api("GET", f"/api/v1/payments/{live.payment_id}/deliveries")

    assert (answer["statusCode"], answer["json"]["code"]) == (404, "not_found")


def test_all_of_a_payment_is_read_although_it_fills_more_than_a_page(app: App, aws: Any) -> None:
    """DynamoDB answers a query in pages of 1 MB."""
    payment = store_completed(app)
    long_answer = Attempt("2026-04-17T12:00:01.000Z", 500, 12, answer="x" * 9_000)
    template = store_delivery(app, payment, *[long_answer] * 30)
    others = [replace(template, event_id=f"evt_{number}") for number in range(5)]
    for other in others:
        assert app.deliveries.save(replace(other, is_stored=False), other)

    whole = app.whole_payments.get(payment.payment_id)

    assert whole is not None
    found = {delivery.event_id for delivery in whole.deliveries}
    assert found == {template.event_id, *(other.event_id for other in others)}
    assert whole.payment.payment_id == payment.payment_id
