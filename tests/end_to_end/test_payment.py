"""One payment's whole way, over real HTTP, on the template that AWS gets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
from standardwebhooks import Webhook as Verifier

from infra.local.aws import Aws
from infra.names import Names
from tests.builders import API_KEY, WEBHOOK_SECRET
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint

NAMES = Names("local")


def test_a_payment_goes_from_https_to_the_signed_webhook(
    merchant: Merchant, endpoint: Endpoint
) -> None:
    answer = merchant.post(
        description="Order #123",
        metadata={"order_id": "123"},
        webhook_url=endpoint.url,
        payment_method_token="tok_ok",
    )

    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    payment_id = answer.json()["payment_id"]
    assert answer.headers["location"] == f"/api/v1/payments/{payment_id}"
    assert answer.headers["x-request-id"]

    payment = merchant.wait_final(payment_id)
    assert [line["status"] for line in payment["history"]] == ["pending", "processing", "completed"]
    assert payment["received_amount"] == "100.50"

    until(lambda: endpoint.received, bool)
    ((headers, body),) = endpoint.received
    event = Verifier(WEBHOOK_SECRET).verify(body, headers)
    assert event["type"] == "payment.completed"
    assert event["data"]["payment_id"] == payment_id
    assert event["data"]["sequence"] == 3
    (charge,) = merchant.charges(payment_id)
    assert (charge["amount"], charge["currency"]) == (10_050, "MXN")


# Token: final status, the failure's code, and how many charges the simulator must list.
OUTCOMES = {
    "tok_ok": ("completed", None, 1),
    "tok_declined": ("failed", "card_declined", 0),
    "tok_insufficient_funds": ("failed", "insufficient_funds", 0),
    "tok_unavailable": ("completed", None, 1),
    "tok_wrong_amount": ("in_review", None, 1),
    "tok_timeout_after_charge": ("completed", None, 1),
    "tok_timeout_before_charge": ("in_review", None, 0),
}


def test_every_outcome_that_a_token_forces_is_reached_within_a_minute(merchant: Merchant) -> None:
    started = {token: merchant.create(token) for token in OUTCOMES}

    for token, payment_id in started.items():
        payment = merchant.wait_final(payment_id, seconds=60)
        code = (payment["failure"] or {}).get("code")
        assert (payment["status"], code, len(merchant.charges(payment_id))) == OUTCOMES[token], (
            token
        )


def test_fc_01_a_repeat_gets_the_same_bytes(merchant: Merchant) -> None:
    first = merchant.post("fc-01", payment_method_token="tok_ok")
    merchant.wait_final(first.json()["payment_id"])
    again = merchant.post('"fc-01"', payment_method_token="tok_ok")

    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_fc_03_another_body_under_the_same_key_changes_nothing(merchant: Merchant) -> None:
    first = merchant.post("fc-03")
    other = merchant.post("fc-03", amount="100.51")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert first.json()["payment_id"] not in other.text, "nothing of the first request is told"
    assert "100.50" not in other.text
    assert merchant.get(first.json()["payment_id"])["amount"] == "100.50"


def test_two_hundred_at_once_are_all_final_and_none_is_charged_twice(
    merchant: Merchant, endpoint: Endpoint
) -> None:
    def post(n: int) -> httpx.Response:
        return merchant.post(f"burst-{n}", webhook_url=endpoint.url)

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(post, range(200)))

    assert {answer.status_code for answer in answers} == {202}
    ids = {answer.json()["payment_id"] for answer in answers}
    assert len(ids) == 200
    payments = [merchant.wait_final(payment_id, 120) for payment_id in sorted(ids)]
    completed = {payment["id"] for payment in payments if payment["status"] == "completed"}
    charged = [c["payment_id"] for c in merchant.charges() if c["payment_id"] in ids]
    assert sorted(charged) == sorted(completed)
    until(lambda: len(endpoint.received), lambda count: count >= 200, 60)
    told = [body["data"]["payment_id"] for body in endpoint.bodies()]
    assert sorted(told) == sorted(ids), "each final state was told once"


def test_health_says_what_it_checked_and_unknown_paths_are_problems(merchant: Merchant) -> None:
    health = merchant.http.get("/health")
    unknown = merchant.http.get("/nothing/here")

    assert (health.status_code, health.json()["checks"]["payments"]) == (200, "ok")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"].startswith("application/problem+json")


def test_one_payment_can_be_followed_through_the_logs_of_its_functions(
    merchant: Merchant, engine_aws: Aws, endpoint: Endpoint
) -> None:
    payment_id = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(payment_id)
    logs = engine_aws.client("logs")

    def lines(function: str) -> list[str]:
        group = f"/aws/lambda/{NAMES.function(function)}"
        found = logs.filter_log_events(logGroupName=group, filterPattern=f'"{payment_id}"')
        return [event["message"] for event in found["events"]]

    for function in ("api", "outbox-relay", "processor", "webhook-sender"):
        messages = until(partial(lines, function), bool)
        assert not any(API_KEY in message for message in messages)
