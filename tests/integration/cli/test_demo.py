"""The demo of `riel up` on the engine, as it looks where no terminal is."""

from __future__ import annotations

import re

import pytest

from infra.cli.demo.endpoint import WebhookEndpoint
from infra.cli.demo.show import show_demo
from infra.local.platform import LocalPlatform
from tests.builders import WEBHOOK_SECRET
from tests.end_to_end.client import Merchant
from tests.integration.cli.conftest import Riel


def test_the_demo_tells_each_hop_and_what_to_try_next(
    riel: Riel, merchant: Merchant, platform: LocalPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebhookEndpoint(WEBHOOK_SECRET) as endpoint:
        show_demo(platform.state, endpoint)
    told = capsys.readouterr().out

    assert "4 completed, 1 declined, 1 in the dead-letter queue." in told
    assert "5 webhooks verified. 4 charges at the PSP: one for each completed payment." in told
    assert "riel-local-payments-dlq-depth  is ALARM" in told
    assert f"curl -X POST {platform.state.api}/api/v1/payments" in told

    # Its last lines work: the poisoned payment is healed and sent back.
    healing = re.search(r"/payments/(pay_\w+)/outcome", told)
    assert healing is not None
    merchant.force(healing[1], "tok_ok")
    riel("dlq", "redrive", "payments")
    assert merchant.wait_final(healing[1])["status"] == "completed"
