"""`riel payments` and `riel status` on the engine."""

from __future__ import annotations

import json

import pytest

from infra.local.platform import LocalPlatform
from infra.names import FUNCTIONS, TABLES
from tests.end_to_end.client import Merchant, until
from tests.endpoint import Endpoint
from tests.integration.cli.conftest import Riel


def test_show_tells_the_whole_way_of_a_payment(
    riel: Riel, merchant: Merchant, endpoint: Endpoint
) -> None:
    payment_id = merchant.create(webhook_url=endpoint.url)
    seen = merchant.wait_final(payment_id)

    def delivered() -> bool:
        return bool(riel.json("payments", "show", payment_id)["deliveries"])

    until(delivered, bool)
    document = riel.json("payments", "show", payment_id)
    screen = riel("payments", "show", payment_id)

    assert seen.items() <= document.items()
    assert [line["status"] for line in document["history"]] == [
        "pending",
        "processing",
        "completed",
    ]
    assert document["deliveries"][0]["state"] == "delivered"
    assert document["deliveries"][0]["attempts"][0]["status"] == 200
    for words in (payment_id, "pending", "processing", "completed", "delivered", "1 attempt"):
        assert words in screen


def test_list_has_the_newest_first_and_says_when_there_are_more(
    riel: Riel, merchant: Merchant
) -> None:
    older, newer = merchant.create(), merchant.create()

    found = until(
        lambda: riel.json("payments", "list", "--limit", "2"),
        lambda page: [payment["id"] for payment in page["data"]] == [newer, older],
    )

    assert found["has_more"] in (True, False)
    assert newer in riel("payments", "list", "--limit", "2")
    assert riel.json("payments", "list", "--limit", "1")["has_more"] is True
    assert riel.json("payments", "list", "--live")["data"] == []
    assert riel.json("payments", "list", "--day", "2020-02-29")["data"] == []


@pytest.mark.parametrize("name", ["list", "watch"])
def test_an_unknown_merchant_is_one_sentence_and_where_to_look(riel: Riel, name: str) -> None:
    said = riel("payments", name, "--merchant", "nobody", code=1)

    assert said.startswith("There is no merchant nobody on the stage local.\nList them with: ")
    assert said.endswith("riel merchants list\n")


def test_watch_tells_each_payment_once(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create()
    merchant.wait_final(payment_id)

    lines = riel("payments", "watch", "--seconds", "1.5", "--json").splitlines()

    assert [json.loads(line)["id"] for line in lines].count(payment_id) == 1


def test_an_unknown_payment_is_one_sentence(riel: Riel) -> None:
    unknown = riel("payments", "show", "pay_" + "a" * 26, code=1)
    malformed = riel("payments", "show", "order-123", code=1)

    assert unknown.startswith("There is no payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa on the stage")
    assert malformed.startswith("'order-123' is not a payment's id.")


def test_status_names_every_part(riel: Riel, platform: LocalPlatform) -> None:
    found = riel.json("status")

    state = platform.state
    for name in ("api", "simulator", "aws_endpoint", "region"):
        assert found[name] == getattr(state, name)
    assert {name: queue["url"] for name, queue in found["queues"].items()} == state.queues
    assert set(found["functions"]) == set(FUNCTIONS)
    assert {f["state"] for f in found["functions"].values()} == {"Active"}
    assert set(found["tables"]) == {*TABLES, "simulator"}
    assert found["queues"]["payments"]["dead_letters"] == 0
    assert "payments-dlq-depth" in found["alarms"]
    assert state.api in riel("status")


def test_a_replay_charges_nobody_twice(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create()
    before = merchant.wait_final(payment_id)

    # One range for both: "2m" ago is another moment each time.
    span = ("--from", before["created_at"], "--to", before["processed_at"])
    counted = riel.json("outbox", "replay", *span, "--dry-run", code=0)
    done = riel.json("outbox", "replay", *span)

    assert done["published"] == counted["published"] >= 1
    witness = merchant.create()
    merchant.wait_final(witness)
    assert merchant.get(payment_id) == before
    assert len(merchant.charges(payment_id)) == 1


def test_a_review_is_decided_once_and_shows_who_and_why(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create("tok_wrong_amount")
    assert merchant.wait_final(payment_id)["status"] == "in_review"

    wrong = riel("payments", "resolve", payment_id, "--as", "paid", "--reason", "x", code=2)
    done = riel.json("payments", "resolve", payment_id, "--as", "failed", "--reason", "case 4711")
    again = riel("payments", "resolve", payment_id, "--as", "completed", "--reason", "x", code=1)
    screen = riel("payments", "show", payment_id)

    assert "completed or failed" in wrong
    assert done["status"] == "failed"
    assert done["history"][-1]["note"].endswith(": case 4711")
    assert "is failed, not in review" in again
    assert "resolved_by_operator" in screen
    assert "case 4711" in screen
    assert "note" not in merchant.get(payment_id)["history"][-1]
