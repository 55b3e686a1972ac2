"""Asking for a webhook again: by a merchant's request, and by an operator for a range of time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.payment import Payment
from riel.errors import StoreUnavailableError
from riel.services.merchants import seed_merchant
from riel.services.redeliver_webhook import redeliver
from riel.store.deliveries import DELIVERED, FAILED, PENDING, Attempt, Delivery
from tests.builders import FakeClock
from tests.integration.test_api import Api
from tests.integration.test_deliveries_api import OTHER_KEY, deliveries, store_delivery
from tests.payments import store_completed

OK = Attempt("2026-04-17T12:00:01.000Z", 200, 12)
GONE = Attempt("2026-04-17T12:00:01.000Z", 410, 12)


@pytest.fixture
def api(app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(app, monkeypatch)
    api.app.clock = clock
    return api


@pytest.fixture
def payment(app: App) -> Payment:
    return store_completed(app)


def ask(
    api: Api, payment: Payment, key: str = "again", body: Any = None, delivery_id: str = ""
) -> dict[str, Any]:
    delivery_id = delivery_id or ids.event_id(payment.payment_id, payment.sequence)
    path = f"/api/v1/payments/{payment.payment_id}/deliveries/{delivery_id}/redeliver"
    return api("POST", path, body, {"idempotency-key": key})


def messages(app: App) -> list[dict[str, Any]]:
    """What waits in the webhooks queue now."""
    return [json.loads(message.body) for message in app.webhooks_queue.receive(0)]


def stored(app: App, payment: Payment) -> Delivery:
    (delivery,) = app.deliveries.of_payment(payment.payment_id)
    return delivery


@pytest.mark.parametrize("body", [None, "", "{}"])
def test_a_redelivery_is_written_down_and_sent_at_once(
    api: Api, app: App, payment: Payment, clock: FakeClock, body: str | None
) -> None:
    store_delivery(app, payment, GONE, state=FAILED, failure="gone")

    answer = ask(api, payment, body=body)

    event_id = ids.event_id(payment.payment_id, 3)
    assert answer["statusCode"] == 202
    assert answer["json"] == {"delivery_id": event_id, "state": "pending"}
    seen = f"/api/v1/payments/{payment.payment_id}/deliveries"
    assert answer["headers"]["Location"] == seen
    delivery = stored(app, payment)
    assert (delivery.state, delivery.failure, delivery.tries) == (PENDING, "", 0)
    assert delivery.attempt_count == 1, "what was tried stays visible"
    assert delivery.is_asked_for
    assert delivery.due_at is not None, "the index brings it, should the message get lost"
    assert clock.now < delivery.due_at <= clock.now + timedelta(minutes=5)
    (message,) = messages(app)
    assert (message["event_id"], message["turn"]) == (event_id, delivery.turn)


def test_every_state_can_be_sent_again(api: Api, app: App, payment: Payment) -> None:
    """One that waits, one that was received and lost, and one that was given up."""
    store_delivery(app, payment, GONE, next_at=app.clock() + timedelta(hours=25))
    turns = []
    for number, state in enumerate((PENDING, DELIVERED, FAILED)):
        found = stored(app, payment)
        assert app.deliveries.save(found, replace(found, state=state, turn=found.turn + 1))

        answer = ask(api, payment, f"key-{number}")

        assert answer["statusCode"] == 202
        delivery = stored(app, payment)
        assert (delivery.state, delivery.next_at) == (PENDING, app.clock())
        turns.append(delivery.turn)
    assert turns == sorted(set(turns)), "each begins a turn of its own"


def test_an_event_that_was_never_tried_can_be_asked_for(
    api: Api, app: App, payment: Payment, aws: Any
) -> None:
    """The relay's message may be stuck, or lost; what is sent is found in the outbox."""
    assert ask(api, payment)["statusCode"] == 202

    delivery = stored(app, payment)
    event = app.outbox.get(delivery.event_at, delivery.payment_id, delivery.event_id)
    assert event is not None
    assert (delivery.type, delivery.url) == (event.type, event.webhook_url)
    assert delivery.traceparent == event.traceparent
    assert len(messages(app)) == 1


def test_a_repeat_has_the_same_bytes_and_sends_nothing_more(
    api: Api, app: App, payment: Payment
) -> None:
    first = ask(api, payment)
    turn = stored(app, payment).turn

    again = ask(api, payment)

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first["headers"]
    assert stored(app, payment).turn == turn
    assert len(messages(app)) == 1


def test_another_key_sends_again(api: Api, app: App, payment: Payment) -> None:
    ask(api, payment, "one")
    turn = stored(app, payment).turn
    ask(api, payment, "two")

    assert stored(app, payment).turn == turn + 1


def test_one_key_for_two_events_is_two_keys(api: Api, app: App, payment: Payment) -> None:
    other = store_completed(app, idempotency_key="other")

    answers = [ask(api, payment, "same"), ask(api, other, "same")]

    assert [answer["statusCode"] for answer in answers] == [202, 202]
    assert not any("Idempotent-Replayed" in answer["headers"] for answer in answers)


def test_an_event_of_14_days_is_409_and_the_answer_is_kept(
    api: Api, app: App, payment: Payment, clock: FakeClock
) -> None:
    store_delivery(app, payment, OK, state=DELIVERED)
    clock.advance(timedelta(days=14).total_seconds() - 1)
    assert ask(api, payment, "in time")["statusCode"] == 202
    turn = stored(app, payment).turn
    clock.advance(1)

    first = ask(api, payment, "late")
    again = ask(api, payment, "late")

    assert (first["statusCode"], first["json"]["code"]) == (409, "event_expired")
    assert (again["statusCode"], again["body"]) == (409, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert stored(app, payment).turn == turn


@pytest.mark.parametrize("delivery_id", ["evt_" + "a" * 26, "evt_x", "pay_" + "a" * 26])
def test_an_unknown_delivery_is_404_and_its_key_stays_free(
    api: Api, app: App, payment: Payment, aws: Any, delivery_id: str
) -> None:
    answer = ask(api, payment, delivery_id=delivery_id)

    assert (answer["statusCode"], answer["json"]["code"]) == (404, "not_found")
    assert aws.scan(TableName="idempotency")["Count"] == 0
    assert messages(app) == []


def test_an_event_of_another_payment_is_unknown_here(api: Api, app: App, payment: Payment) -> None:
    other = store_completed(app, idempotency_key="other")
    event_id = ids.event_id(other.payment_id, other.sequence)

    assert ask(api, payment, delivery_id=event_id)["statusCode"] == 404


def test_a_payment_without_an_address_has_nothing_to_send(api: Api, app: App) -> None:
    silent = store_completed(app, webhook_url=None)

    assert ask(api, silent)["statusCode"] == 404


def test_fc_24_another_merchant_can_not_ask_for_it(api: Api, app: App, payment: Payment) -> None:
    seed_merchant(
        app, merchant_id="other", name="O", api_key=OTHER_KEY, webhook_secret="whsec_eA=="
    )
    event_id = ids.event_id(payment.payment_id, payment.sequence)
    path = f"/api/v1/payments/{payment.payment_id}/deliveries/{event_id}/redeliver"

    answer = api("POST", path, None, {"idempotency-key": "k", "x-api-key": OTHER_KEY})

    assert (answer["statusCode"], answer["json"]["detail"]) == (404, "no such payment")
    assert app.deliveries.of_payment(payment.payment_id) == []


@pytest.mark.parametrize(("body", "status"), [('{"url":"x"}', 422), ("[]", 400), ("{", 400)])
def test_a_body_that_says_something_is_refused(
    api: Api, app: App, payment: Payment, body: str, status: int
) -> None:
    assert ask(api, payment, body=body)["statusCode"] == status
    assert app.deliveries.of_payment(payment.payment_id) == []


def test_a_key_is_required(api: Api, payment: Payment) -> None:
    answer = ask(api, payment, key="")

    assert (answer["statusCode"], answer["json"]["code"]) == (400, "idempotency_key_missing")


def test_an_attempt_that_is_recorded_meanwhile_loses_nothing(
    api: Api, app: App, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker records its attempt between our look and our write."""
    store_delivery(app, payment, GONE)
    before_our_write(api, monkeypatch, lambda: record(app, payment))

    answer = ask(api, payment)

    assert answer["statusCode"] == 202
    delivery = stored(app, payment)
    assert [attempt.status for attempt in delivery.attempts] == [410, 200]
    assert (delivery.state, delivery.tries) == (PENDING, 0)
    assert [message["turn"] for message in messages(app)] == [delivery.turn]


def test_two_who_ask_at_once_send_it_once(
    api: Api, app: App, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_delivery(app, payment, GONE, state=FAILED, failure="gone")
    before_our_write(api, monkeypatch, lambda: redeliver(app, stored(app, payment)))

    answer = ask(api, payment)

    assert answer["statusCode"] == 202
    assert len(messages(app)) == 1


def test_a_store_that_fails_is_503_and_the_key_stays_free(
    api: Api, app: App, payment: Payment, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any) -> bool:
        raise StoreUnavailableError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(api.app.deliveries, "save", throttled)
        answer = ask(api, payment)

    assert (answer["statusCode"], answer["json"]["code"]) == (503, "store_unavailable")
    assert aws.scan(TableName="idempotency")["Count"] == 0
    assert ask(api, payment)["statusCode"] == 202
    assert deliveries(api, payment.payment_id)[0]["state"] == "pending"


def test_fc_29_it_counts_as_a_write_which_fails_closed_without_the_limits(
    api: Api, app: App, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any) -> None:
        raise StoreUnavailableError("throttled")

    monkeypatch.setattr(api.app.limits, "lease", throttled)

    assert ask(api, payment)["statusCode"] == 503
    assert deliveries(api, payment.payment_id)[0]["attempt_count"] == 0, "a read goes on"
    assert messages(app) == []


def before_our_write(api: Api, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody else act once, after the API has read the delivery."""
    save = api.app.deliveries.save

    def late(*arguments: Any) -> bool:
        monkeypatch.setattr(api.app.deliveries, "save", save)
        act()
        return save(*arguments)

    monkeypatch.setattr(api.app.deliveries, "save", late)


def record(app: App, payment: Payment) -> None:
    found = stored(app, payment)
    assert app.deliveries.save(found, replace(found.after(OK), state=DELIVERED))
