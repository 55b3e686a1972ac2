"""`riel simulator pay` on the engine: a payer's money ends in a completed payment."""

from __future__ import annotations

from tests.end_to_end.client import Merchant
from tests.integration.cli.conftest import Riel


def test_a_voucher_is_paid_from_the_command_line(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create(None, method="oxxo")
    merchant.wait(payment_id, lambda found: found["status"] == "awaiting_payment")

    short = riel.json("simulator", "pay", payment_id, "--amount", "0.50")
    merchant.wait(payment_id, lambda found: found["received_amount"] == "0.50")
    said = riel("simulator", "pay", payment_id)
    seen = merchant.wait_final(payment_id)

    assert short["status"] == "awaiting"
    assert "received 100.50 of 100.50 MXN" in said
    assert (seen["status"], seen["received_amount"]) == ("completed", "100.50")


def test_a_card_payment_has_nothing_to_pay(riel: Riel, merchant: Merchant) -> None:
    payment_id = merchant.create()
    merchant.wait_final(payment_id)

    assert "no voucher to pay: it is completed" in riel("simulator", "pay", payment_id, code=1)
