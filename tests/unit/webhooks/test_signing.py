"""Signatures that others can verify."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from riel.webhooks.signing import headers, sign
from tests.builders import WEBHOOK_SECRET


def test_the_published_vector_of_the_specification() -> None:
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_library_accepts_each_secret_of_a_rotation() -> None:
    other = "whsec_" + base64.b64encode(b"another-secret-another-secret-xx").decode()
    body = '{"type":"payment.completed","data":{"note":"café"}}'.encode()

    sent = headers([WEBHOOK_SECRET, other], "evt_1", datetime.now(UTC), body)

    Webhook(WEBHOOK_SECRET).verify(body, sent)
    Webhook(other).verify(body, sent)


def test_the_reference_library_refuses_a_body_changed_by_one_byte() -> None:
    sent = headers([WEBHOOK_SECRET], "evt_1", datetime.now(UTC), b'{"a":1}')

    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(b'{"a":2}', sent)


def test_a_vector_made_by_hand() -> None:
    """HMAC as RFC 2104 writes it, over `id.timestamp.body`; openssl gives the literal too.

    printf '%s' 'evt_1.1776427200.{"note":"café"}' | openssl dgst -sha256 -mac HMAC \\
      -macopt hexkey:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f \\
      -binary | base64
    """
    key = bytes(range(32))
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    body = b'{"note":"caf\xc3\xa9"}'
    content = b"evt_1" + b"." + b"1776427200" + b"." + body

    block = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + content).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()
    by_hand = "v1," + base64.b64encode(outer).decode()

    assert secret == "whsec_" + base64.b64encode(key).decode()
    assert by_hand == "v1,uZb2e3K2F4FAn2vb+fDiNFwa/fmBmNzfpUW/UbBMu+8="
    assert sign(secret, "evt_1", 1776427200, body) == by_hand


def test_fc_72_an_attempt_carries_the_time_of_the_attempt_in_seconds() -> None:
    sent_at = datetime(2026, 4, 17, 12, 0, 0, 999_000, tzinfo=UTC)

    sent = headers([WEBHOOK_SECRET], "evt_1", sent_at, b"{}")

    assert sent == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1776427200",
        "webhook-signature": sign(WEBHOOK_SECRET, "evt_1", 1776427200, b"{}"),
    }


def test_a_rotation_signs_by_the_newest_secret_first_with_a_space_between() -> None:
    """A receiver that reads one signature alone reads that of the secret that stays."""
    secrets = [WEBHOOK_SECRET, "whsec_" + base64.b64encode(bytes(range(32))).decode()]
    sent_at = datetime.now(UTC)

    sent = headers(secrets, "evt_1", sent_at, b"{}")

    each = [sign(secret, "evt_1", int(sent_at.timestamp()), b"{}") for secret in secrets]
    assert sent["webhook-signature"] == " ".join(each)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-id", "evt_2"),
        ("webhook-timestamp", "+1"),
        ("webhook-signature", "v1,"),
    ],
)
def test_the_reference_library_refuses_a_changed_header(header: str, value: str) -> None:
    sent = headers([WEBHOOK_SECRET], "evt_1", datetime.now(UTC), b"{}")
    Webhook(WEBHOOK_SECRET).verify(b"{}", sent)
    changed = str(int(sent[header]) + 1) if value == "+1" else value

    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(b"{}", {**sent, header: changed})


def test_the_reference_library_refuses_another_merchants_secret() -> None:
    sent = headers([WEBHOOK_SECRET], "evt_1", datetime.now(UTC), b"{}")

    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(bytes(32)).decode()).verify(b"{}", sent)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        sign(secret, "evt_1", 1, b"{}")
