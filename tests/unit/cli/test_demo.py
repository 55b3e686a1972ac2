"""The demo: what it tells, and that its endpoint believes no forged webhook."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from infra.cli.demo.endpoint import WebhookEndpoint, is_genuine
from infra.cli.demo.orders import Arrival, Order, Row
from infra.cli.demo.screen import milestones
from riel.clock import utc_now
from riel.webhooks import signing
from tests.builders import NOON, WEBHOOK_SECRET

BODY = json.dumps({"type": "payment.completed", "data": {"payment_id": "pay_1"}}).encode()


def view(*statuses: str, attention: str | None = None, failure: str = "") -> dict[str, Any]:
    history = [
        {"status": status, "at": f"2026-04-17T12:00:0{second}.000Z"}
        for second, status in enumerate(statuses)
    ]
    told = {"code": failure, "message": ""} if failure else None
    return {"history": history, "attention": attention, "failure": told}


def row(*statuses: str, **more: Any) -> Row:
    made = Row(Order("tok_ok", "1.00", "MXN"), "pay_1", timedelta(milliseconds=20))
    made.update(view(*statuses, **more))
    return made


def test_milestones_only_grow() -> None:
    seen: list[str] = []
    for statuses in (("pending",), ("pending", "processing"), ("pending", "processing", "failed")):
        told = milestones(row(*statuses, failure="card_declined" if len(statuses) == 3 else ""))
        assert told[: len(seen)] == seen
        seen = told

    assert seen[-1] == "failed (card_declined) in 1.00 s"


def test_a_webhook_is_told_after_the_decision_that_it_tells_of() -> None:
    moving = row("pending", "processing")
    moving.webhook = Arrival("pay_1", "payment.completed", NOON, is_verified=True)
    assert len(milestones(moving)) == 2

    moving.update(view("pending", "processing", "completed"))
    assert "signature verified" in milestones(moving)[-1]
    assert moving.is_done


def test_a_dead_letter_needs_no_webhook_to_be_done() -> None:
    poison = row("pending", "processing", attention="dead_letter")

    assert poison.is_done
    assert "dead letter" in milestones(poison)[-1]


@pytest.mark.parametrize("fault", ["none", "body", "secret", "old", "no timestamp", "unsigned"])
def test_only_a_genuine_webhook_is_believed(fault: str) -> None:
    now = utc_now()
    headers = signing.headers([WEBHOOK_SECRET], "evt_1", now, BODY)
    secret, body = WEBHOOK_SECRET, BODY
    match fault:
        case "body":
            body += b" "
        case "secret":
            secret = "whsec_b3RoZXI="
        case "old":
            now += timedelta(minutes=6)
        case "no timestamp":
            del headers["webhook-timestamp"]
        case "unsigned":
            headers["webhook-signature"] = ""

    assert is_genuine(secret, headers, body, now) == (fault == "none")


def test_the_endpoint_answers_as_a_merchant_would() -> None:
    headers = signing.headers([WEBHOOK_SECRET], "evt_1", utc_now(), BODY)
    with WebhookEndpoint(WEBHOOK_SECRET) as endpoint, httpx.Client(trust_env=False) as client:
        assert client.post(endpoint.url, content=b"?").status_code == 400
        assert client.post(endpoint.url, content=BODY).status_code == 401
        assert client.post(endpoint.url, content=BODY, headers=headers).status_code == 204
        arrival = endpoint.arrival("pay_1")

    assert arrival is not None
    assert arrival.is_verified
