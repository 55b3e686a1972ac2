"""`riel webhooks` on the engine: what was sent, send again, and endpoints that were stopped."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.platform import LocalPlatform
from riel.ids import event_id
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint
from tests.integration.cli.conftest import Riel

pytestmark = pytest.mark.usefixtures("no_dead_letters")


def delivery(riel: Riel, payment_id: str) -> dict[str, Any]:
    (shown,) = riel.json("webhooks", "deliveries", payment_id)["data"]
    found: dict[str, Any] = shown
    return found


def wait_for(riel: Riel, payment_id: str, state: str) -> dict[str, Any]:
    def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = riel.json("webhooks", "deliveries", payment_id)["data"]
        return found

    (told,) = until(look, lambda found: [one["state"] for one in found] == [state])
    return dict(told)


def ids_received(endpoint: Endpoint) -> list[str]:
    return [headers["webhook-id"] for headers, _ in list(endpoint.received)]


def test_an_endpoint_that_is_gone_is_stopped_listed_resumed_and_told_again(
    riel: Riel, merchant: Merchant, endpoint: Endpoint, platform: LocalPlatform
) -> None:
    endpoint.statuses = [410]
    payment_id = merchant.create(webhook_url=endpoint.url)
    merchant.wait_final(payment_id)
    failed = wait_for(riel, payment_id, "failed")

    screen = riel("webhooks", "deliveries", payment_id)
    for words in (endpoint.url, "payment.completed", "failed gone", "HTTP 410"):
        assert words in screen
    assert f"webhooks redeliver {payment_id}" in screen

    (stopped,) = [
        one for one in riel.json("webhooks", "endpoints")["data"] if one["url"] == endpoint.url
    ]
    assert (stopped["merchant_id"], stopped["why"]) == ("demo", "gone")
    assert endpoint.url in riel("webhooks", "endpoints", "--merchant", "demo")
    assert riel.json("status")["stopped_endpoints"] >= 1
    assert "webhooks endpoints" in riel("status")

    said = riel("webhooks", "resume", "demo", endpoint.url)
    assert f"--to now --merchant demo --url '{endpoint.url}'" in said
    again = riel("webhooks", "resume", "demo", endpoint.url, code=1)
    assert again.startswith(f"demo has no stopped endpoint {endpoint.url}.\n")

    dry = riel("webhooks", "redeliver", payment_id, "--dry-run")
    assert dry == "1 event looked at, 1 would be sent again.\n"
    assert delivery(riel, payment_id) == failed
    assert riel("webhooks", "redeliver", payment_id) == "1 event looked at, 1 sent again.\n"
    done = wait_for(riel, payment_id, "delivered")
    assert [attempt["status"] for attempt in done["attempts"]] == [410, 200]
    assert ids_received(endpoint) == [event_id(payment_id, 3)] * 2

    # Its letter is about what has been delivered since: it goes, and nothing is sent. (Others'
    # letters may lie beside it: the stage is shared.)
    assert riel.json("dlq", "redrive", "webhooks")["redriven"] >= 1
    left = riel.json("dlq", "show", "webhooks")["data"]
    assert not [letter for letter in left if payment_id in letter["payment_ids"]]
    assert delivery(riel, payment_id) == done


def test_a_range_is_sent_again_by_its_state(
    riel: Riel, merchant: Merchant, endpoint: Endpoint
) -> None:
    first, second = (merchant.create(webhook_url=endpoint.url) for _ in range(2))
    for payment_id in (first, second):
        wait_for(riel, payment_id, "delivered")
    (owner,) = {merchant.get(one)["webhook_url"] for one in (first, second)}
    options = ("--from", "10m", "--to", "now", "--merchant", "demo")

    dry = riel.json("webhooks", "redeliver", *options, "--state", "delivered", "--dry-run")
    elsewhere = riel.json("webhooks", "redeliver", *options, "--url", f"{endpoint.url}&x=1")

    assert dry["dry_run"] is True
    assert dry["sent"] >= 2
    assert (elsewhere["found"], elsewhere["sent"]) == (0, 0)
    assert owner == endpoint.url


def test_one_delivery_is_sent_again_although_it_was_received(
    riel: Riel, merchant: Merchant, endpoint: Endpoint
) -> None:
    payment_id = merchant.create(webhook_url=endpoint.url)
    delivery_id = wait_for(riel, payment_id, "delivered")["delivery_id"]

    nothing = riel("webhooks", "redeliver", payment_id)
    done = riel.json("webhooks", "redeliver", payment_id, delivery_id)

    assert nothing == "1 event looked at, 0 sent again.\n1 in another state: see --state.\n"
    assert done["sent"] == 1
    until(lambda: ids_received(endpoint), lambda seen: seen == [delivery_id] * 2)
    unknown = riel("webhooks", "redeliver", payment_id, "evt_x", code=1)
    assert unknown.startswith(f"{payment_id} has no delivery evt_x.\n")


def test_a_merchant_asks_by_the_api_and_is_told_again(
    riel: Riel, merchant: Merchant, endpoint: Endpoint
) -> None:
    payment_id = merchant.create(webhook_url=endpoint.url)
    wait_for(riel, payment_id, "delivered")
    path = f"/api/v1/payments/{payment_id}/deliveries"
    (shown,) = merchant.http.get(path).json()["data"]

    answer = merchant.http.post(
        f"{path}/{shown['delivery_id']}/redeliver", headers={"Idempotency-Key": payment_id}
    )

    assert answer.status_code == 202, answer.text
    assert answer.json() == {"delivery_id": shown["delivery_id"], "state": "pending"}
    until(lambda: len(ids_received(endpoint)), lambda seen: seen == 2)
    assert set(ids_received(endpoint)) == {shown["delivery_id"]}
    seen = until(
        lambda: merchant.http.get(path).json()["data"][0],
        lambda found: found["state"] == "delivered",
    )
    assert seen["attempt_count"] == 2


def test_an_unknown_payment_is_one_sentence_and_where_to_look(riel: Riel) -> None:
    unknown = "pay_" + "a" * 26

    for command in (("deliveries",), ("redeliver",)):
        said = riel("webhooks", *command, unknown, code=1)
        assert said.startswith(f"There is no payment {unknown} on the stage local.\n")
    assert "is not a payment's id" in riel("webhooks", "deliveries", "pay_1", code=1)


def test_a_payment_without_an_address_is_told_nothing(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create()

    assert riel.json("webhooks", "deliveries", payment_id) == {"data": []}
    said = riel("webhooks", "deliveries", payment_id)
    assert said == "The payment has no webhook_url: nothing is sent.\n"
