"""Signatures that others can verify."""

from __future__ import annotations

import base64
import hashlib
import hmac
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


def test_the_signed_content_is_id_time_and_body() -> None:
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    by_hand = hmac.new(key, b"evt_1.1000.{}", hashlib.sha256).digest()

    assert sign(WEBHOOK_SECRET, "evt_1", 1000, b"{}") == (
        "v1," + base64.b64encode(by_hand).decode()
    )


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        sign(secret, "evt_1", 1, b"{}")
