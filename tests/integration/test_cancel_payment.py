"""Canceling: one winner in every race, and one answer for each key."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.payment import Payment, Status
from riel.errors import StoreUnavailableError
from riel.services.process_payment import Step, process_payment
from riel.services.stored_answers import WAIT_SECONDS, StoredAnswers
from tests.builders import FakeClock, FakeGateway, store_payment
from tests.integration.test_api import Api
from tests.payments import advance, store_awaiting


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


@pytest.fixture
def payment(app: App) -> Payment:
    return store_payment(app)


def cancel(api: Api, payment: Payment, key: str = "c", body: Any = None) -> dict[str, Any]:
    path = f"/api/v1/payments/{payment.payment_id}/cancel"
    return api("POST", path, body, {"idempotency-key": key})


def stored(aws: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = aws.scan(TableName="idempotency")["Items"]
    return items


@pytest.mark.parametrize("body", [None, "", "{}", " { } "])
def test_a_pending_payment_is_canceled_and_the_merchant_told(
    api: Api, app: App, payment: Payment, aws: Any, body: str | None
) -> None:
    answer = cancel(api, payment, body=body)

    assert answer["statusCode"] == 202
    assert answer["json"] == {"payment_id": payment.payment_id, "status": "canceled"}
    assert answer["headers"]["Location"] == f"/api/v1/payments/{payment.payment_id}"
    assert "Idempotent-Replayed" not in answer["headers"]
    found = app.payments.get(payment.payment_id)
    assert found is not None
    assert [line.cause for line in found.history] == ["created", "canceled_by_merchant"]
    types = {item["type"]["S"] for item in aws.scan(TableName="outbox")["Items"]}
    assert types == {"payment.created", "payment.canceled"}


def test_a_repeat_has_the_same_bytes_and_changes_nothing(
    api: Api, app: App, payment: Payment
) -> None:
    first = cancel(api, payment)
    again = cancel(api, payment)

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"
    found = app.payments.get(payment.payment_id)
    assert found is not None
    assert found.sequence == 2


@pytest.mark.parametrize("is_there", [True, False])
def test_fc_15_an_expired_record_cancels_nothing_twice(
    api: Api, payment: Payment, aws: Any, is_there: bool
) -> None:
    first = cancel(api, payment)
    (record,) = stored(aws)
    if is_there:
        aws.put_item(TableName="idempotency", Item={**record, "expires_at": {"N": "1"}})
    else:
        aws.delete_item(TableName="idempotency", Key={"pk": record["pk"]})

    again = cancel(api, payment)

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"


def test_fc_43_what_can_not_be_canceled_says_where_it_stands_and_is_remembered(
    api: Api, app: App, payment: Payment
) -> None:
    process_payment(app, Step(payment.payment_id), receives=1)

    first = cancel(api, payment)
    again = cancel(api, payment)

    assert (first["statusCode"], first["json"]["code"]) == (409, "invalid_state")
    assert first["json"]["detail"] == (
        "the payment is completed; it can be canceled while it is pending or awaiting_payment;"
        " allowed now: refund"
    )
    assert (again["statusCode"], again["body"]) == (409, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"


def test_a_voucher_that_waits_is_canceled_at_once_and_nobody_waits_for_it_any_more(
    api: Api, app: App, aws: Any
) -> None:
    waiting = store_awaiting(app, idempotency_key="voucher")

    answer = cancel(api, waiting)

    assert (answer["statusCode"], answer["json"]["status"]) == (202, "canceled")
    found = app.payments.get(waiting.payment_id)
    assert found is not None
    assert found.sequence == 4
    assert found.due_at == found.history[-1].at + timedelta(minutes=1), "should its event get lost"
    assert found.next_action == waiting.next_action, "the gateway still has to be told to void it"
    types = [item["type"]["S"] for item in aws.scan(TableName="outbox")["Items"]]
    assert types.count("payment.canceled") == 1


def test_fc_41_a_payer_who_came_first_wins_and_the_loser_is_told_the_state(
    api: Api, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money comes between our look and our write."""
    waiting = store_awaiting(app, idempotency_key="voucher")
    move = api.app.payments.move

    def late(*arguments: Any) -> bool:
        monkeypatch.setattr(api.app.payments, "move", move)
        advance(app, waiting, Status.COMPLETED, received_minor=10_050)
        return move(*arguments)

    monkeypatch.setattr(api.app.payments, "move", late)
    answer = cancel(api, waiting)

    assert (answer["statusCode"], answer["json"]["code"]) == (409, "invalid_state")
    assert answer["json"]["detail"].startswith("the payment is completed;")
    assert answer["json"]["detail"].endswith("allowed now: refund")
    found = app.payments.get(waiting.payment_id)
    assert found is not None
    assert found.status == Status.COMPLETED


def test_another_key_can_not_cancel_again(api: Api, payment: Payment) -> None:
    cancel(api, payment, "one")
    answer = cancel(api, payment, "two")

    assert (answer["statusCode"], answer["json"]["code"]) == (409, "invalid_state")


def test_fc_06_one_key_on_two_paths_is_two_keys(api: Api, app: App, payment: Payment) -> None:
    other = store_payment(app, idempotency_key="other")

    answers = [cancel(api, payment, "same"), cancel(api, other, "same"), api.post("same")]

    assert [answer["statusCode"] for answer in answers] == [202, 202, 202]
    assert not any("Idempotent-Replayed" in answer["headers"] for answer in answers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"status":"canceled"}', 422),
        ("[]", 400),
        ("{", 400),
        ("null", 400),
        (" " * 70_000, 413),
    ],
)
def test_a_body_that_says_something_is_refused_and_nothing_is_stored(
    api: Api, payment: Payment, aws: Any, body: str, status: int
) -> None:
    assert cancel(api, payment, body=body)["statusCode"] == status
    assert stored(aws) == []
    assert cancel(api, payment)["statusCode"] == 202


def test_an_unknown_payment_is_404_and_its_key_stays_free(api: Api, aws: Any) -> None:
    answer = api("POST", "/api/v1/payments/pay_x/cancel", None, {"idempotency-key": "c"})

    assert (answer["statusCode"], answer["json"]["code"]) == (404, "not_found")
    assert stored(aws) == []


def test_a_claim_that_came_first_wins(
    api: Api, app: App, payment: Payment, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processor takes the payment between our look and our write."""
    move = api.app.payments.move

    def late(*arguments: Any) -> bool:
        process_payment(app, Step(payment.payment_id), receives=1)
        return move(*arguments)

    monkeypatch.setattr(api.app.payments, "move", late)
    answer = cancel(api, payment)

    assert (answer["statusCode"], answer["json"]["code"]) == (409, "invalid_state")
    assert len(gateway.charges) == 1


def test_a_cancellation_that_came_first_leaves_the_processor_nothing(
    api: Api, app: App, payment: Payment, gateway: FakeGateway
) -> None:
    cancel(api, payment)

    assert process_payment(app, Step(payment.payment_id), receives=1) == "nothing to do: canceled"
    assert gateway.sent == []


def test_fc_14_a_killed_first_request_is_waited_for_and_then_done_again(
    api: Api, app: App, payment: Payment, aws: Any
) -> None:
    waits: list[float] = []
    api.app.__dict__["stored_answers"] = StoredAnswers(api.app, waits.append)
    cancel(api, payment)
    (record,) = stored(aws)
    in_flight = {**record, "status": {"S": "INPROGRESS"}}
    del in_flight["data"]
    far, past = {"N": str(10**15)}, {"N": "1"}

    aws.put_item(TableName="idempotency", Item={**in_flight, "in_progress_expiration": far})
    busy = cancel(api, payment)
    aws.put_item(TableName="idempotency", Item={**in_flight, "in_progress_expiration": past})
    after = cancel(api, payment)

    assert (busy["statusCode"], busy["json"]["code"]) == (409, "idempotency_key_in_use")
    assert busy["headers"]["Retry-After"] == "1"
    assert waits[: len(WAIT_SECONDS)] == list(WAIT_SECONDS)
    assert after["statusCode"] == 202
    found = app.payments.get(payment.payment_id)
    assert found is not None
    assert found.sequence == 2, "the lock expired, and what ran again found itself done"


def test_a_repeat_that_waits_gets_the_first_ones_answer(
    api: Api, payment: Payment, aws: Any
) -> None:
    first = cancel(api, payment)
    (record,) = stored(aws)
    in_flight = {k: v for k, v in record.items() if k != "data"} | {
        "status": {"S": "INPROGRESS"},
        "in_progress_expiration": {"N": str(10**15)},
    }
    aws.put_item(TableName="idempotency", Item=in_flight)

    def the_first_ends(_: float) -> None:
        aws.put_item(TableName="idempotency", Item=record)

    api.app.__dict__["stored_answers"] = StoredAnswers(api.app, the_first_ends)
    again = cancel(api, payment)

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("state", ["stored", "in flight"])
def test_another_fingerprint_is_found_stored_and_in_flight(
    api: Api, payment: Payment, aws: Any, state: str
) -> None:
    cancel(api, payment)
    (record,) = stored(aws)
    if state == "in flight":
        record |= {"status": {"S": "INPROGRESS"}, "in_progress_expiration": {"N": str(10**15)}}
    aws.put_item(TableName="idempotency", Item={**record, "validation": {"S": "another body"}})

    answer = cancel(api, payment)

    assert (answer["statusCode"], answer["json"]["code"]) == (422, "idempotency_key_reused")


def test_fc_64_a_throttled_payment_table_is_503_and_the_key_stays_free(
    api: Api, payment: Payment, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: Any) -> bool:
        raise StoreUnavailableError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(api.app.payments, "move", throttled)
        refused = cancel(api, payment)

    assert refused["statusCode"] == 503
    assert stored(aws) == []
    assert cancel(api, payment)["statusCode"] == 202


def test_the_clock_of_the_record_is_a_day(
    api: Api, payment: Payment, aws: Any, clock: FakeClock
) -> None:
    cancel(api, payment)
    (record,) = stored(aws)

    assert set(record) == {
        "pk", "expires_at", "status", "data", "validation", "in_progress_expiration",
    }  # fmt: skip
    assert json.loads(record["data"]["S"])["status"] == "canceled"
