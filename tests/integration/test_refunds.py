"""Refunds in the API: what may go back, once for each key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain.money import Money
from riel.domain.payment import Failure, Method, Payment, Status
from riel.domain.refund import (
    MAX_REFUNDS,
    RefundApplied,
    RefundChange,
    RefundStatus,
    apply_refund,
)
from riel.services.create_refund import MAX_ROUNDS
from riel.services.merchants import seed_merchant
from riel.store.refunds import ClaimedRefund, Reserved
from tests.builders import store_payment
from tests.integration.test_api import Api
from tests.payments import advance, store_awaiting, store_completed

LEASE = timedelta(seconds=20)


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


@pytest.fixture
def payment(app: App) -> Payment:
    """100.50 MXN that were paid."""
    return store_completed(app)


def path_of(payment: Payment) -> str:
    return f"/api/v1/payments/{payment.payment_id}/refunds"


def refund(
    api: Api, payment: Payment, key: str = "r", body: Any = None, **headers: str
) -> dict[str, Any]:
    return api("POST", path_of(payment), body, {"idempotency-key": key, **headers})


def codes(answer: dict[str, Any]) -> tuple[int, str]:
    return answer["statusCode"], answer["json"].get("code", "")


def refunds(api: Api, payment: Payment) -> list[dict[str, Any]]:
    answer = api("GET", path_of(payment))
    assert answer["statusCode"] == 200
    found: list[dict[str, Any]] = answer["json"]["data"]
    return found


def read(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def settle(app: App, payment: Payment, refund_id: str, status: RefundStatus) -> None:
    """Do what the gateway step does with a refund."""
    claimed = app.refunds.claim(payment.payment_id, refund_id, app.clock(), LEASE)
    assert isinstance(claimed, ClaimedRefund)
    failure = Failure("refused", "Refused.") if status is RefundStatus.FAILED else None
    change = RefundChange(status, app.clock(), "test", failure)
    applied = apply_refund(claimed.refund, read(app, payment), change)
    assert isinstance(applied, RefundApplied)
    app.refunds.record(claimed.refund, applied.refund, None)


def stored_answers(aws: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = aws.scan(TableName="idempotency")["Items"]
    return items


def test_a_part_can_be_refunded_and_the_answer_says_where_to_look(
    api: Api, app: App, payment: Payment, aws: Any
) -> None:
    body = {"amount": "40.5", "reason": "One item was missing."}
    answer = refund(api, payment, body=body)

    refund_id = ids.refund_id("demo", False, payment.payment_id, "r")
    assert answer["statusCode"] == 202
    assert answer["json"] == {
        "refund_id": refund_id,
        "payment_id": payment.payment_id,
        "amount": "40.50",
        "currency": "MXN",
        "status": "pending",
        "reason": "One item was missing.",
        "created_at": answer["json"]["created_at"],
    }
    assert answer["headers"]["Location"] == f"{path_of(payment)}/{refund_id}"
    assert api("GET", answer["headers"]["Location"])["json"] == refunds(api, payment)[0]
    found = read(app, payment)
    assert (found.reserved_minor, found.refunded_minor, found.refund_count) == (4050, 0, 1)
    events = aws.scan(TableName="outbox")["Items"]
    (event,) = [item for item in events if item["type"]["S"] == "refund.created"]
    assert event["refund_id"]["S"] == refund_id
    assert event["gateway"]["S"] == "simulator"


@pytest.mark.parametrize("body", [None, "", "{}", {"reason": ""}])
def test_without_an_amount_all_that_is_left_goes_back(
    api: Api, payment: Payment, body: Any
) -> None:
    refund(api, payment, "first", {"amount": "0.50"})

    answer = refund(api, payment, "rest", body)

    assert (answer["statusCode"], answer["json"]["amount"]) == (202, "100.00")


def test_more_than_the_amount_was_received_and_can_be_refunded(api: Api, app: App) -> None:
    payment = store_completed(app, received_minor=12_000)

    assert refund(api, payment, "all")["json"]["amount"] == "120.00"


def test_a_repeat_has_the_same_bytes_and_makes_no_second_refund(
    api: Api, app: App, payment: Payment
) -> None:
    first = refund(api, payment, body={"amount": "40.50"})
    again = refund(api, payment, body={"amount": "40.5"})

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert "Idempotent-Replayed" not in first["headers"]
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert read(app, payment).refund_count == 1


@pytest.mark.parametrize("body", [{"amount": "40.00"}, {}])
def test_fc_16b_a_refund_key_is_taken_for_ever(
    api: Api, app: App, payment: Payment, aws: Any, body: dict[str, str]
) -> None:
    first = refund(api, payment, body=body)
    settle(app, payment, first["json"]["refund_id"], RefundStatus.COMPLETED)
    for record in stored_answers(aws):
        aws.delete_item(TableName="idempotency", Key={"pk": record["pk"]})

    other = refund(api, payment, body={"amount": "1.00"})
    again = refund(api, payment, body=body)
    kept = refund(api, payment, body=body)

    assert codes(other) == (422, "idempotency_key_reused")
    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert kept["body"] == first["body"]
    for answer in (again, kept):
        assert answer["headers"]["Idempotent-Replayed"] == "true"
    assert read(app, payment).refund_count == 1


def test_a_key_is_a_key_of_one_payment(api: Api, app: App, payment: Payment) -> None:
    other = store_completed(app, idempotency_key="other")

    answers = [refund(api, one, "same") for one in (payment, other)]

    assert [answer["statusCode"] for answer in answers] == [202, 202]
    assert answers[0]["json"]["refund_id"] != answers[1]["json"]["refund_id"]


def test_another_body_is_refused_while_the_answer_is_kept(api: Api, payment: Payment) -> None:
    refund(api, payment, body={"amount": "1.00"})

    for body in ({"amount": "2.00"}, {}, {"amount": "1.00", "reason": "x"}):
        assert codes(refund(api, payment, body=body)) == (422, "idempotency_key_reused")


def test_fc_42_pending_refunds_count(api: Api, app: App, payment: Payment) -> None:
    first = refund(api, payment, "first", {"amount": "60.50"})

    refused = refund(api, payment, "second", {"amount": "40.01"})

    assert codes(refused) == (409, "refund_exceeds_available")
    assert refused["json"]["detail"] == "40.00 MXN can still be refunded"
    again = refund(api, payment, "second", {"amount": "40.01"})
    assert (again["body"], again["headers"]["Idempotent-Replayed"]) == (refused["body"], "true")
    settle(app, payment, first["json"]["refund_id"], RefundStatus.FAILED)
    assert refund(api, payment, "third", {"amount": "100.50"})["statusCode"] == 202
    assert codes(refund(api, payment, "fourth")) == (409, "refund_exceeds_available")


@pytest.mark.parametrize(
    ("statuses", "allowed"),
    [
        ((), "cancel"),
        ((Status.PROCESSING,), "nothing"),
        ((Status.PROCESSING, Status.IN_REVIEW), "nothing"),
        ((Status.PROCESSING, Status.FAILED), "nothing"),
        ((Status.PROCESSING, Status.AWAITING_PAYMENT), "cancel"),
    ],
)
def test_fc_43_what_has_not_come_to_an_end_says_what_is_allowed(
    api: Api, app: App, statuses: tuple[Status, ...], allowed: str
) -> None:
    payment = store_payment(app)
    for status in statuses:
        payment = advance(app, payment, status)

    refused = refund(api, payment)

    assert codes(refused) == (409, "invalid_state")
    assert refused["json"]["detail"] == (
        f"the payment is {payment.status}; it can be refunded when it is completed, canceled or"
        f" expired; allowed now: {allowed}"
    )


@pytest.mark.parametrize("ended", [Status.EXPIRED, Status.CANCELED])
def test_fc_43_where_nothing_came_nothing_can_go_back(api: Api, app: App, ended: Status) -> None:
    payment = advance(app, store_awaiting(app, idempotency_key="voucher"), ended)

    refused = refund(api, payment)
    again = refund(api, payment)

    assert codes(refused) == (409, "invalid_state")
    words = f"the payment is {ended} and nothing was received; allowed now: nothing"
    assert refused["json"]["detail"] == words
    assert (again["statusCode"], again["body"]) == (409, refused["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("ended", [Status.EXPIRED, Status.CANCELED])
def test_what_came_short_of_a_payment_that_ended_can_be_refunded(
    api: Api, app: App, ended: Status
) -> None:
    waiting = store_awaiting(app, idempotency_key="voucher")
    payment = advance(app, waiting, ended, received_minor=4_000)

    cancel = f"/api/v1/payments/{payment.payment_id}/cancel"
    first = api("POST", cancel, None, {"idempotency-key": "c"})
    over = refund(api, payment, "over", {"amount": "40.01"})
    done = refund(api, payment, "all")
    more = refund(api, payment, "more")

    assert first["json"]["detail"].endswith("allowed now: refund")
    assert codes(over) == (409, "refund_exceeds_available")
    assert over["json"]["detail"] == "40.00 MXN can still be refunded"
    assert (done["statusCode"], done["json"]["amount"]) == (202, "40.00")
    assert codes(more) == (409, "refund_exceeds_available")
    settle(app, payment, done["json"]["refund_id"], RefundStatus.COMPLETED)
    after = read(app, payment)
    assert (after.status, after.refunded_minor) == (ended, 4_000)


def test_a_payment_that_is_completed_late_while_it_is_refunded_is_looked_at_anew(
    api: Api, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the money comes between our look and our write."""
    waiting = store_awaiting(app, idempotency_key="voucher")
    expired = advance(app, waiting, Status.EXPIRED, received_minor=4_000)
    create = api.app.refunds.create

    def late(*arguments: Any) -> Reserved:
        monkeypatch.setattr(api.app.refunds, "create", create)
        advance(app, expired, Status.COMPLETED, received_minor=10_050)
        return create(*arguments)

    monkeypatch.setattr(api.app.refunds, "create", late)

    assert refund(api, expired)["json"]["amount"] == "100.50"


def test_a_gateway_that_can_not_refund_the_method_says_so(api: Api, app: App) -> None:
    payment = store_completed(app, gateway="one-way", method=Method.OXXO)

    refused = refund(api, payment)

    assert codes(refused) == (409, "invalid_state")
    words = "one-way does not refund oxxo payments; allowed now: nothing"
    assert refused["json"]["detail"] == words


def test_there_is_an_end_to_the_number_of_refunds(api: Api, payment: Payment, aws: Any) -> None:
    aws.update_item(
        TableName="payments",
        Key={"pk": {"S": payment.payment_id}, "sk": {"S": "payment"}},
        UpdateExpression="SET refund_count = :many",
        ExpressionAttributeValues={":many": {"N": str(MAX_REFUNDS)}},
    )

    refused = refund(api, payment)

    assert codes(refused) == (409, "invalid_state")
    assert f"has {MAX_REFUNDS} refunds already" in refused["json"]["detail"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"amount": 1.5}, "amount", "amount_invalid"),
        ({"amount": None}, "amount", "amount_invalid"),
        ({"amount": ""}, "amount", "amount_invalid"),
        ({"amount": "0"}, "amount", "amount_invalid"),
        ({"amount": "-1"}, "amount", "amount_invalid"),
        ({"amount": "1.005"}, "amount", "amount_invalid"),
        ({"amount": "1" * 13}, "amount", "amount_too_large"),
        ({"reason": "x" * 501}, "reason", "too_long"),
        ({"reason": None}, "reason", "reason_invalid"),
        ({"reason": "4111 1111 1111 1111"}, "reason", "card_number_forbidden"),
        ({"reason": "\x00"}, "reason", "character_invalid"),
        ({"status": "completed"}, "status", "unknown_field"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_and_nothing_is_stored(
    api: Api, app: App, payment: Payment, aws: Any, body: Any, field: str, code: str
) -> None:
    refused = refund(api, payment, body=body)

    assert codes(refused) == (422, "validation_failed")
    assert [(p["field"], p["code"]) for p in refused["json"]["errors"]] == [(field, code)]
    assert "4111" not in refused["body"]
    assert stored_answers(aws) == []
    assert refund(api, payment)["statusCode"] == 202, "the key is still free"


@pytest.mark.parametrize(
    ("currency", "amount", "status"), [("JPY", "1.5", 422), ("JPY", 15, 202), ("KWD", "1.005", 202)]
)
def test_decimals_are_those_of_the_payments_currency(
    api: Api, app: App, currency: str, amount: Any, status: int
) -> None:
    payment = store_completed(app, amount=Money(5_000, currency))

    assert refund(api, payment, body={"amount": amount})["statusCode"] == status


@pytest.mark.parametrize(
    ("body", "status"), [("[]", 400), ("{", 400), ("null", 400), (" " * 70_000, 413)]
)
def test_a_body_that_can_not_be_read_is_refused(
    api: Api, payment: Payment, body: str, status: int
) -> None:
    assert refund(api, payment, body=body)["statusCode"] == status


def test_a_key_is_required_and_a_body_is_announced(api: Api, payment: Payment) -> None:
    assert codes(api("POST", path_of(payment), {})) == (400, "idempotency_key_missing")
    text = refund(api, payment, body={"amount": "1"}, **{"content-type": "text/plain"})
    assert codes(text) == (415, "unsupported_media_type")


def test_fc_24_a_foreign_payment_is_an_unknown_one(api: Api, app: App, payment: Payment) -> None:
    seed_merchant(
        app, merchant_id="other", name="O", api_key="sk_test_other", webhook_secret="whsec_eA=="
    )
    unknown = "/api/v1/payments/pay_" + "a" * 26 + "/refunds"
    theirs = {"x-api-key": "sk_test_other", "idempotency-key": "r"}

    for method in ("GET", "POST"):
        foreign = api(method, path_of(payment), None, theirs)
        absent = api(method, unknown, None, theirs)
        assert codes(foreign) == (404, "not_found")
        assert foreign["json"] == absent["json"]
    assert read(app, payment).refund_count == 0


def test_a_lost_race_is_looked_at_anew(
    api: Api, app: App, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another refund is written between our look and our write."""
    create = api.app.refunds.create

    def late(*arguments: Any) -> Reserved:
        monkeypatch.setattr(api.app.refunds, "create", create)
        refund(api, payment, "faster", {"amount": "60.00"})
        return create(*arguments)

    monkeypatch.setattr(api.app.refunds, "create", late)
    answer = refund(api, payment, "slower")

    assert (answer["statusCode"], answer["json"]["amount"]) == (202, "40.50")


def test_a_payment_that_changes_in_every_round_is_503_and_the_key_stays_free(
    api: Api, payment: Payment, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[object] = []

    def lost(*arguments: Any) -> Reserved:
        rounds.append(arguments)
        return Reserved.CHANGED

    with monkeypatch.context() as patch:
        patch.setattr(api.app.refunds, "create", lost)
        refused = refund(api, payment)

    assert codes(refused) == (503, "store_unavailable")
    assert len(rounds) == MAX_ROUNDS
    assert stored_answers(aws) == []
    assert refund(api, payment)["statusCode"] == 202
