"""Reading refunds in the API: all of a payment, and one."""

from __future__ import annotations

import pytest

from riel.app import App
from riel.domain.payment import Payment
from riel.domain.refund import RefundStatus
from riel.services.merchants import seed_merchant
from tests.builders import FakeClock
from tests.integration.test_api import Api
from tests.integration.test_refunds import codes, path_of, refund, refunds, settle
from tests.payments import store_completed


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


@pytest.fixture
def payment(app: App) -> Payment:
    """100.50 MXN that were paid."""
    return store_completed(app)


def test_the_list_has_every_refund_with_its_history_the_oldest_first(
    api: Api, app: App, payment: Payment, clock: FakeClock
) -> None:
    api.app.clock = clock
    assert refunds(api, payment) == []
    first = refund(api, payment, "first", {"amount": "10"})["json"]
    clock.advance(1)
    second = refund(api, payment, "second", {"amount": "20", "reason": "No."})["json"]
    clock.advance(1)
    settle(app, payment, second["refund_id"], RefundStatus.FAILED)
    settle(app, payment, first["refund_id"], RefundStatus.COMPLETED)

    done, failed = refunds(api, payment)

    assert done == {
        **first,
        "status": "completed",
        "processed_at": "2026-04-17T12:00:02.000Z",
        "failure": None,
        "history": done["history"],
    }
    assert [(line["sequence"], line["status"]) for line in done["history"]] == [
        (1, "pending"),
        (2, "processing"),
        (3, "completed"),
    ]
    assert (failed["status"], failed["reason"]) == ("failed", "No.")
    assert failed["failure"] == {"code": "refused", "message": "Refused."}
    shown = api("GET", f"/api/v1/payments/{payment.payment_id}")["json"]
    assert (shown["status"], shown["refunded_amount"]) == ("completed", "10.00")


@pytest.mark.parametrize("refund_id", ["re_" + "a" * 26, "re_x", "re_", "payment"])
def test_an_unknown_refund_and_one_of_another_payment_are_not_found(
    api: Api, app: App, payment: Payment, refund_id: str
) -> None:
    other = store_completed(app, idempotency_key="other")
    theirs = refund(api, other)["json"]["refund_id"]

    for unknown in (refund_id, theirs):
        answer = api("GET", f"{path_of(payment)}/{unknown}")
        assert codes(answer) == (404, "not_found")
        assert answer["json"]["detail"] == "no such refund"


def test_fc_24_a_refund_of_a_foreign_payment_is_an_unknown_one(
    api: Api, app: App, payment: Payment
) -> None:
    seed_merchant(
        app, merchant_id="other", name="O", api_key="sk_test_other", webhook_secret="whsec_eA=="
    )
    place = refund(api, payment)["headers"]["Location"]
    unknown = "/api/v1/payments/pay_" + "a" * 26 + "/refunds/" + place.rpartition("/")[2]
    foreign, absent = (
        api("GET", p, None, {"x-api-key": "sk_test_other"}) for p in (place, unknown)
    )

    assert codes(foreign) == (404, "not_found")
    assert foreign["json"] == absent["json"]
