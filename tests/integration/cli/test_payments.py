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
        (told,) = riel.json("payments", "show", payment_id)["deliveries"]
        return bool(told["state"] == "delivered")

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
    for words in (payment_id, "pending", "processing", "completed", "delivered", "HTTP 200"):
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


def test_what_waits_for_a_person_is_found_without_knowing_its_id(
    riel: Riel, merchant: Merchant
) -> None:
    payment_id = merchant.create("tok_wrong_amount")
    assert merchant.wait_final(payment_id)["status"] == "in_review"

    def waiting() -> dict[str, dict[str, str]]:
        return {one["payment_id"]: one for one in riel.json("reviews")["data"]}

    found = until(waiting, lambda reviews: payment_id in reviews)[payment_id]
    assert (found["why"], found["cause"]) == ("in_review", "amount_mismatch")
    assert "the PSP says" in found["told"]
    assert payment_id in riel("reviews", "--why", "in_review")
    assert riel.json("status")["reviews"]["in_review"] >= 1
    assert "riel reviews" in riel("status")
    assert found["told"] in riel("payments", "show", payment_id)

    refused = riel("payments", "acknowledge", payment_id, "--reason", "x", code=1)
    riel("payments", "resolve", payment_id, "--as", "failed", "--reason", "case 4711")
    assert "decided, not acknowledged" in refused
    until(waiting, lambda reviews: payment_id not in reviews)


def test_an_overpaid_voucher_is_listed_until_it_is_acknowledged(
    riel: Riel, merchant: Merchant
) -> None:
    payment_id = merchant.create(method="oxxo")
    until(lambda: merchant.get(payment_id)["status"], lambda s: s == "awaiting_payment")
    riel("simulator", "pay", payment_id, "--amount", "200.00")

    def listed() -> set[str]:
        return {one["payment_id"] for one in riel.json("reviews", "--why", "overpaid")["data"]}

    until(listed, lambda found: payment_id in found)
    done = riel("payments", "acknowledge", payment_id, "--reason", "sent back by hand")
    shown = riel("payments", "show", payment_id)

    assert done == f"{payment_id}: overpaid is acknowledged.\n"
    assert "sent back by hand" in shown
    assert merchant.get(payment_id)["attention"] is None
    until(listed, lambda found: payment_id not in found)


def test_a_refund_of_another_amount_ends_in_review_with_what_the_psp_said(
    riel: Riel, merchant: Merchant
) -> None:
    payment_id = merchant.create("tok_refund_wrong_amount")
    merchant.wait_final(payment_id)
    refund_id = merchant.refund(payment_id, "40.00", "cli-wrong").json()["refund_id"]

    def waiting() -> dict[str, dict[str, str]]:
        return {one["refund_id"]: one for one in riel.json("reviews")["data"]}

    found = until(waiting, lambda reviews: refund_id in reviews)[refund_id]
    done = ("--as", "completed", "--reason", "case 4711")
    riel("refunds", "resolve", payment_id, refund_id, *done)

    assert found["told"] == "asked for 40.00 MXN, the PSP says 39.99 MXN"
    until(waiting, lambda reviews: refund_id not in reviews)


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


def test_what_came_of_a_payment_in_review_is_recorded_as_told(
    riel: Riel, merchant: Merchant
) -> None:
    payment_id = merchant.create("tok_wrong_amount")
    assert merchant.wait_final(payment_id)["status"] == "in_review"
    resolve = ("payments", "resolve", payment_id, "--as", "completed", "--reason", "x")

    odd = riel(*resolve, "--received", "100.505", code=2)
    screen = riel(*resolve, "--received", "100.51")

    assert "MXN has 2 decimals, not more. Say what came with --received AMOUNT." in odd.replace(
        "\n", " "
    )
    assert screen.replace("\n", " ").endswith(
        "Recorded: completed, 100.51 MXN received; the review began because: "
        "asked for 100.50 MXN, the PSP says 100.51 MXN. "
    )
    after = merchant.get(payment_id)
    assert (after["received_amount"], after["attention"]) == ("100.51", "overpaid")


def test_what_is_unknown_can_not_be_decided_and_the_hint_leads_somewhere(
    riel: Riel, merchant: Merchant
) -> None:
    nowhere, there = "pay_" + "a" * 26, merchant.create()
    decision = ("--as", "failed", "--reason", "x")

    payment = riel("payments", "resolve", nowhere, *decision, code=1)
    of_nothing = riel("refunds", "resolve", nowhere, "re_x", *decision, code=1)
    refund = riel("refunds", "resolve", there, "re_x", *decision, code=1)

    for said in (payment, of_nothing):
        assert said.startswith(f"There is no payment {nowhere} on the stage local.")
        assert said.endswith("riel payments list\n")
    assert refund.startswith(f"The payment {there} has no refund re_x.")
    assert refund.endswith(f"riel payments show {there}\n")
