"""`riel flags` and what refunds look like, on the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.client import Merchant, until
from tests.integration.cli.conftest import Riel

SWITCH = "method.spei"
"""Nobody else's test pays by it on this stage."""


@pytest.fixture
def _switched_on_again(riel: Riel) -> Iterator[None]:
    yield
    riel("flags", "set", SWITCH, "on", "--reason", "the test is over")


@pytest.mark.usefixtures("_switched_on_again")
def test_fc_46_an_operator_stops_a_method_and_starts_it_again(
    riel: Riel, merchant: Merchant
) -> None:
    def status() -> int:
        return merchant.post(method="spei").status_code

    done = riel("flags", "set", SWITCH, "off", "--reason", "the bank is down")
    assert until(status, lambda found: found == 503) == 503
    shown = {one["name"]: one for one in riel.json("flags", "show")["data"]}
    stopped, summary = riel.json("status"), riel("status")
    screen = riel("flags", "show")
    riel.json("flags", "set", SWITCH, "on", "--reason", "it is back")

    assert done == (
        f"{SWITCH} is off: it takes no new payments, within 10 seconds.\n"
        "No gateway is left for spei: new payments are refused, 503 method_unavailable.\n"
    )
    assert [one["name"] for one in stopped["switched_off"]] == [SWITCH]
    assert stopped["unserved_methods"] == ["spei"]
    assert "the bank is down" in summary
    assert (shown[SWITCH]["state"], shown[SWITCH]["why"]) == ("off", "the bank is down")
    assert shown[SWITCH]["who"]
    assert shown["method.card"]["state"] == "on"
    for words in (SWITCH, "the bank is down", "gateway.standby", "method.crypto"):
        assert words in screen
    assert until(status, lambda found: found == 202) == 202


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gateway.stripe", "off", "--reason", "x"), "gateway.simulator, gateway.standby"),
        (("method.card", "off", "--reason", " "), "Say why with --reason."),
    ],
)
def test_an_unknown_switch_or_no_reason_is_told(
    riel: Riel, arguments: tuple[str, ...], words: str
) -> None:
    assert words in riel("flags", "set", *arguments, code=2)


def test_a_payments_refunds_are_shown_and_an_unknown_one_is_not_decided(
    riel: Riel, merchant: Merchant
) -> None:
    payment_id = merchant.create()
    merchant.wait_final(payment_id)
    refund_id = merchant.refund(payment_id, "40.00", "cli-refund").json()["refund_id"]

    document = riel.json("payments", "show", payment_id)
    screen = riel("payments", "show", payment_id)
    decide = ("--as", "failed", "--reason", "x")
    refused = riel("refunds", "resolve", payment_id, "re_unknown", *decide, code=1)
    wrong = riel(
        "refunds", "resolve", payment_id, refund_id, "--as", "paid", "--reason", "x", code=2
    )

    assert [(one["refund_id"], one["amount"]) for one in document["refunds"]] == [
        (refund_id, "40.00")
    ]
    assert refund_id in screen
    assert "40.00 MXN" in screen
    assert f"{payment_id} has no refund re_unknown" in refused
    assert "completed or failed" in wrong
