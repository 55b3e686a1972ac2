"""Vouchers that were paid short and then ended: what came goes back, by the merchant or by us."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint


def paid_short(merchant: Merchant, token: str | None = None, **fields: Any) -> str:
    """A voucher over 100.50 for which 40.00 came."""
    payment_id = merchant.create(token, method="oxxo", **fields)
    merchant.wait(payment_id, lambda p: p["status"] == "awaiting_payment")
    answer = merchant.simulator.post(f"/payments/{payment_id}/pay", json={"amount": 4_000})
    assert answer.status_code == 200
    merchant.wait(payment_id, lambda p: p["received_amount"] == "40.00")
    return payment_id


def moved(merchant: Merchant, payment_id: str) -> list[int]:
    return [one["amount"] for one in merchant.refunds_moved() if one["payment_id"] == payment_id]


def test_what_came_before_a_cancellation_goes_back_by_itself_and_is_told(
    merchant: Merchant, endpoint: Endpoint
) -> None:
    payment_id = paid_short(merchant, webhook_url=endpoint.url)
    path = f"/api/v1/payments/{payment_id}/cancel"
    assert merchant.http.post(path, headers={"Idempotency-Key": "c"}).status_code == 202

    payment = merchant.wait(payment_id, lambda p: p["refunded_amount"] == "40.00")

    assert payment["status"] == "canceled"
    assert moved(merchant, payment_id) == [4_000]
    (refund,) = merchant.http.get(f"/api/v1/payments/{payment_id}/refunds").json()["data"]
    assert (refund["amount"], refund["status"]) == ("40.00", "completed")
    told = until(
        lambda: {body["type"]: body["data"] for body in endpoint.bodies()},
        lambda seen: {"payment.canceled", "refund.completed"} <= seen.keys(),
    )
    assert told["payment.canceled"]["received_amount"] == "40.00"
    assert told["refund.completed"]["amount"] == "40.00"


def test_what_came_before_the_expiry_can_be_refunded_by_the_merchant(merchant: Merchant) -> None:
    payment_id = paid_short(merchant, "tok_expires_soon")
    payment = merchant.wait_final(payment_id)
    assert (payment["status"], payment["attention"]) == ("expired", "underpaid")

    over = merchant.refund(payment_id, "40.01", "over")
    accepted = merchant.refund(payment_id, None, "all")

    assert over.json()["detail"] == "40.00 MXN can still be refunded"
    place = accepted.headers["location"]
    refund = until(lambda: merchant.http.get(place).json(), lambda r: r["status"] == "completed")
    assert refund["refund_id"] == accepted.json()["refund_id"]
    assert moved(merchant, payment_id) == [4_000]
    assert merchant.get(payment_id)["refunded_amount"] == "40.00"
