"""The merchants' example, run as a merchant would: what it takes, drops and refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.platform import LocalPlatform
from riel import ids
from riel.app import App
from riel.domain.events import merchant_body
from riel.webhooks import signing
from tests.builders import WEBHOOK_SECRET, make_payment
from tests.end_to_end.client import Merchant
from tests.payments import store_completed

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/receive_webhooks.py"
PAGE = ROOT / "docs/webhooks.md"
OTHER_SECRET = "whsec_b3RoZXI="


class Shop:
    """A running example: posts to it, and reads what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self.next_line().removeprefix("listening on ")

    def next_line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().rstrip("\n")

    def post(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        answer = httpx.post(self.url, headers=headers, content=body, timeout=60)
        return answer.status_code, self.next_line()

    def tell(
        self,
        webhook_id: str,
        event: dict[str, Any],
        *secrets: str,
        age: timedelta = timedelta(),
    ) -> tuple[int, str]:
        """Send an event as Riel signs it."""
        body = json.dumps(event).encode()
        at = datetime.now(UTC) - age
        return self.post(signing.headers(secrets or (WEBHOOK_SECRET,), webhook_id, at, body), body)


@contextmanager
def running(*options: str, **environment: str) -> Iterator[Shop]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield Shop(process)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running() as shop:
        yield shop


def event(subject: str, sequence: int, kind: str = "payment.completed") -> dict[str, Any]:
    data = {"payment_id": subject, "sequence": sequence, "amount": "100.50", "currency": "MXN"}
    return {"type": kind, "timestamp": "2026-04-17T12:00:00.000Z", "data": data}


def test_a_good_one_is_taken_and_its_repeat_is_not(shop: Shop) -> None:
    good = event("pay_1", 3)

    assert shop.tell("evt_1", good) == (200, "new: payment.completed pay_1 #3 100.50 MXN")
    # A later attempt of the same event: another time and signature, the same id.
    repeat = shop.tell("evt_1", good, age=timedelta(seconds=-2))
    assert repeat == (200, "repeated: payment.completed pay_1 #3 100.50 MXN")


def test_one_that_was_overtaken_is_stale(shop: Shop) -> None:
    shop.tell("evt_2b", event("pay_2", 4))

    late = shop.tell("evt_2a", event("pay_2", 3, "payment.awaiting_payment"))
    next_one = shop.tell("evt_2c", event("pay_2", 5))

    assert late == (200, "stale: payment.awaiting_payment pay_2 #3 100.50 MXN")
    assert next_one[1].startswith("new: ")


def test_a_refund_counts_its_own(shop: Shop) -> None:
    shop.tell("evt_3a", event("pay_3", 4))
    refunded = event("pay_3", 3, "refund.completed")
    refunded["data"]["refund_id"] = "re_3"

    assert shop.tell("evt_3b", refunded) == (200, "new: refund.completed re_3 #3 100.50 MXN")


@pytest.mark.parametrize(
    ("age", "secret", "why"),
    [
        (timedelta(), OTHER_SECRET, "No matching signature found"),
        (timedelta(minutes=6), WEBHOOK_SECRET, "Message timestamp too old"),
        (timedelta(minutes=-6), WEBHOOK_SECRET, "Message timestamp too new"),
    ],
)
def test_a_forged_one_and_an_old_one_are_refused_and_forgotten(
    shop: Shop, age: timedelta, secret: str, why: str
) -> None:
    sent = event(f"pay_4{why}", 3)

    assert shop.tell(f"evt_4{why}", sent, secret, age=age) == (401, f"refused: {why}")
    assert shop.tell(f"evt_4{why}", sent)[1].startswith("new: ")


def test_changed_bytes_and_missing_headers_are_refused(shop: Shop) -> None:
    body = json.dumps(event("pay_5", 3)).encode()
    headers = signing.headers((WEBHOOK_SECRET,), "evt_5", datetime.now(UTC), body)

    assert shop.post(headers, body + b" ")[0] == 401
    assert shop.post(headers, b"\xff")[0] == 401
    assert shop.post({**headers, "webhook-signature": "v1"}, body)[0] == 401
    assert shop.post({"webhook-id": "evt_5"}, body) == (401, "refused: Missing required headers")
    assert shop.post({**headers, "webhook-id": "evt_6"}, body)[0] == 401


def test_while_a_secret_is_rotated_one_of_two_signatures_is_enough(shop: Shop) -> None:
    status, said = shop.tell("evt_7", event("pay_7", 3), OTHER_SECRET, WEBHOOK_SECRET)

    assert (status, said.partition(":")[0]) == (200, "new")


def test_a_type_that_nobody_knows_yet_is_answered_2xx(shop: Shop) -> None:
    future = {"type": "payout.completed", "timestamp": "2027-01-01T00:00:00.000Z", "data": {}}

    assert shop.tell("evt_8", future) == (200, "ignored: 'payout.completed'")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "None"),
        ("payment.completed", "None"),
        ([], "None"),
        (None, "None"),
        ({"type": 7, "data": {}}, "7"),
        ({"type": "payment.completed"}, "payment.completed"),
        ({"type": "payment.completed", "data": []}, "payment.completed"),
        ({"type": "payment.completed", "data": {"payment_id": "pay_10"}}, "payment.completed"),
        ({"type": "a\nb", "data": {}}, "a\\nb"),
    ],
)
def test_a_genuine_one_that_is_not_what_it_knows_is_answered_2xx(
    shop: Shop, body: Any, kind: str
) -> None:
    assert shop.tell("evt_10", body) == (200, f"ignored: '{kind}'")
    assert shop.tell("evt_11", event("pay_11", 3))[0] == 200, "and it goes on"


def test_new_fields_and_missing_ones_that_it_only_prints_do_not_stop_it(shop: Shop) -> None:
    sparse = {"type": "payment.completed", "data": {"payment_id": "pay_12", "sequence": 3}}

    assert shop.tell("evt_12", sparse) == (200, "new: payment.completed pay_12 #3 None None")


def test_a_port_that_is_taken_is_one_sentence(shop: Shop) -> None:
    port = shop.url.rstrip("/").rpartition(":")[2]

    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"Port {port} can not be listened on: .*\. Try --port 0\.\n", done.stderr)


def test_what_riel_really_sends_is_understood(shop: Shop, app: App) -> None:
    """The body as it is frozen, with what the shop has to look at."""
    payment = store_completed(app)
    event_id = ids.event_id(payment.payment_id, 3)
    frozen = app.outbox.get(payment.history[-1].at, payment.payment_id, event_id)
    assert frozen is not None
    headers = signing.headers(
        (WEBHOOK_SECRET,), frozen.event_id, datetime.now(UTC), frozen.body.encode()
    )
    late = make_payment(payment_id="pay_9", attention="late_payment")

    told = f"new: payment.completed {payment.payment_id} #3 100.50 MXN"
    assert shop.post(headers, frozen.body.encode()) == (200, told)
    _, said = shop.tell("evt_9", json.loads(merchant_body("payment.completed", late)))
    assert said.endswith(", attention: late_payment")


def test_it_takes_what_the_local_stage_sends(shop: Shop, platform: LocalPlatform) -> None:
    payment_id = Merchant(platform).create(webhook_url=shop.url)

    assert shop.next_line() == f"new: payment.completed {payment_id} #3 100.50 MXN"


def test_its_memory_can_outlive_it_and_its_secret_comes_from_the_environment(
    tmp_path: Path,
) -> None:
    database = ("--database", str(tmp_path / "webhooks.db"))
    for expected in ("new", "repeated"):
        with running(*database, RIEL_WEBHOOK_SECRET=OTHER_SECRET) as shop:
            status, said = shop.tell("evt_1", event("pay_1", 3), OTHER_SECRET)
        assert (status, said.partition(":")[0]) == (200, expected)


def test_the_pages_own_code_tells_a_good_webhook_from_a_bad_one() -> None:
    """The lines for those who have no library, as a merchant would copy them."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (by_hand,) = [block for block in code if "hmac" in block]
    shown: dict[str, Any] = {}
    exec(by_hand, shown)
    is_genuine, body = shown["is_genuine"], b'{"type": "payment.completed"}'
    headers = signing.headers((OTHER_SECRET, WEBHOOK_SECRET), "evt_1", datetime.now(UTC), body)

    assert is_genuine(WEBHOOK_SECRET, headers, body)
    assert is_genuine(OTHER_SECRET, headers, body)
    assert not is_genuine("whsec_bm8=", headers, body)
    assert not is_genuine(WEBHOOK_SECRET, headers, body + b" ")
    assert not is_genuine(WEBHOOK_SECRET, {**headers, "webhook-id": "evt_2"}, body)
    assert not is_genuine(WEBHOOK_SECRET, {**headers, "webhook-timestamp": "1"}, body)


def test_the_pages_code_with_the_library_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (with_library,) = [block for block in code if "standardwebhooks" in block]
    body = b'{"type": "payment.completed"}'
    headers = signing.headers((WEBHOOK_SECRET,), "evt_1", datetime.now(UTC), body)
    shown: dict[str, Any] = {"secret": WEBHOOK_SECRET, "headers": headers, "body": body}

    exec(with_library, shown)

    assert shown["event"] == {"type": "payment.completed"}
