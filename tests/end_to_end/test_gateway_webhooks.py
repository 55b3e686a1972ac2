"""PSPs' events over real HTTP: the public port, the signature, the queue, the processor."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel import ids
from riel.clock import utc_now
from riel.store.inbox import InboxEvent, InboxStore
from tests.end_to_end.client import Merchant, until
from tests.gateway_events import event_body, sign

NAMES = Names("local")
PATH = "/api/v1/gateways/simulator/webhooks"


class Psp:
    """The simulated PSP, with its pen: it signs whatever it is given."""

    def __init__(self, platform: LocalPlatform, aws: Aws) -> None:
        self._http = httpx.Client(base_url=platform.state.api, timeout=60)
        name = NAMES.secret("simulator")
        secret: dict[str, Any] = aws.client("secretsmanager").get_secret_value(SecretId=name)
        self._secret = secret["SecretString"]
        self._inbox = InboxStore(aws.dynamodb, NAMES.table("payments"))

    def post(
        self, body: bytes, content_type: str = "application/json", secret: str = ""
    ) -> httpx.Response:
        headers = sign(body, secret or self._secret, utc_now()) | {"content-type": content_type}
        return self._http.post(PATH, content=body, headers=headers)

    def state_of(self, inbox_id: str) -> str:
        event: InboxEvent | None = self._inbox.get(inbox_id)
        return str(event.state) if event else "absent"


@pytest.fixture(scope="module")
def psp(platform: LocalPlatform, engine_aws: Aws) -> Psp:
    return Psp(platform, engine_aws)


def inbox_id(event_id: str) -> str:
    return ids.inbox_id("simulator", event_id)


def new_event_id() -> str:
    return f"evt_{uuid.uuid4().hex}"


def test_a_voucher_completes_by_the_event_that_the_psp_sends_when_it_is_paid(
    merchant: Merchant,
) -> None:
    payment_id = merchant.create(None, method="oxxo")
    waiting = merchant.wait(payment_id, lambda p: p["status"] == "awaiting_payment")
    assert waiting["next_action"]["type"] == "oxxo_voucher"

    assert merchant.simulator.post(f"/payments/{payment_id}/pay", json={}).status_code == 200

    payment = merchant.wait_final(payment_id)
    assert (payment["status"], payment["received_amount"]) == ("completed", "100.50")


def test_fc_47_what_was_not_signed_is_a_problem_on_the_public_port(psp: Psp) -> None:
    event_id = new_event_id()
    body = event_body(ids.payment_id("demo", False, "x"), event_id)

    answer = psp.post(body, secret="guessed")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "signature_invalid"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert psp.state_of(inbox_id(event_id)) == "absent"


TEXT, BINARY = "application/json; charset=utf-8", "application/octet-stream"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (TEXT, '{"note": "caf\u00e9\u2028"}'.encode()),
        (TEXT, b"\r\n{}\r\n"),
        # API Gateway hands over as text what is announced as text, so no byte of it may be else.
        (BINARY, b"\xff\xfe\x00 no text"),
    ],
)
def test_the_signature_is_checked_over_the_very_bytes_that_were_sent(
    psp: Psp, content_type: str, body: bytes
) -> None:
    assert psp.post(body, content_type).status_code == 200


def test_fc_52_an_event_that_comes_before_its_payment_is_kept_until_there_is_one(
    merchant: Merchant, psp: Psp
) -> None:
    key, event_id = f"key-{uuid.uuid4()}", new_event_id()
    payment_id = ids.payment_id("demo", False, key)

    assert psp.post(event_body(payment_id, event_id)).json() == {"received": True}
    until(lambda: psp.state_of(inbox_id(event_id)), lambda state: state == "unmatched")

    answer = merchant.post(key, payment_method_token="tok_ok")
    assert answer.json()["payment_id"] == payment_id

    until(lambda: psp.state_of(inbox_id(event_id)), lambda state: state == "processed")
    assert merchant.wait_final(payment_id)["status"] == "completed"
    assert len(merchant.charges(payment_id)) == 1
