"""Who signed a PSP's event, when, and by which secret: FC-47, FC-48 and FC-58."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from riel.app import App
from tests.builders import NOON, FakeClock
from tests.gateway_events import SECRET_NAME, sign
from tests.integration.inbound import (
    BODY,
    INBOX_ID,
    PAYMENT_ID,
    Inbound,
    everything,
    messages,
    metrics_of,
    refused,
)

GOOD = sign(BODY)["simulator-signature"]
TIME, MAC = GOOD.split(",v1=")
FORGED = {
    "no header": {},
    "an empty header": {"simulator-signature": ""},
    "none": {"simulator-signature": "none"},
    "only a time": {"simulator-signature": TIME},
    "another algorithm": {"simulator-signature": f"{TIME},v0={MAC}"},
    "no algorithm": {"simulator-signature": f"{TIME},none={MAC}"},
    "backwards": {"simulator-signature": f"{TIME},v1={MAC[::-1]}"},
    "one digit less": {"simulator-signature": f"{TIME},v1={MAC[:-1]}"},
    "another time": {"simulator-signature": f"t={int(NOON.timestamp()) + 1},v1={MAC}"},
    "two times": {"simulator-signature": f"t=1,{GOOD}"},
    "another secret": sign(BODY, "guessed"),
    "an empty secret": sign(BODY, ""),
    "letters outside ASCII": {"simulator-signature": f"{TIME},v1=é"},
}  # fmt: skip


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_fc_47_what_the_psp_did_not_sign_is_401_and_leaves_nothing_but_a_count(
    inbound: Inbound,
    listening: App,
    headers: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(inbound.post(headers=headers), 401, "signature_invalid")

    assert [item for item in everything(listening) if item["sk"]["S"] == "inbox"] == []
    assert messages(listening) == []
    printed = capsys.readouterr().out
    assert "GatewaySignatureInvalid" in metrics_of(printed)
    assert "GatewayTimestampOutOfTolerance" not in metrics_of(printed)
    assert PAYMENT_ID not in printed
    assert MAC[:20] not in printed


def test_fc_47_a_body_with_one_byte_changed_is_refused(inbound: Inbound) -> None:
    for position in (0, len(BODY) // 2, len(BODY) - 1):
        changed = bytearray(BODY)
        changed[position] ^= 1
        refused(inbound.post(bytes(changed), sign(BODY)), 401, "signature_invalid")
    refused(inbound.post(BODY + b" ", sign(BODY)), 401, "signature_invalid")
    refused(inbound.post(b"", sign(BODY)), 401, "signature_invalid")


@pytest.mark.parametrize("seconds", [-301, 301, -86_400])
def test_fc_48_a_good_signature_of_another_time_is_told_apart_from_a_forgery(
    inbound: Inbound, listening: App, seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = sign(BODY, at=NOON + timedelta(seconds=seconds))

    refused(inbound.post(headers=headers), 401, "timestamp_out_of_tolerance")

    assert listening.inbox.get(INBOX_ID) is None
    counted = metrics_of(capsys.readouterr().out)
    assert "GatewayTimestampOutOfTolerance" in counted
    assert "GatewaySignatureInvalid" not in counted


@pytest.mark.parametrize("seconds", [-300, 300])
def test_fc_48_five_minutes_either_way_are_within_the_tolerance(
    inbound: Inbound, seconds: int
) -> None:
    answer = inbound.post(headers=sign(BODY, at=NOON + timedelta(seconds=seconds)))

    assert answer.status == 200


def test_fc_58_after_a_rotation_both_secrets_are_accepted_for_a_day(
    inbound: Inbound, listening: App, clock: FakeClock
) -> None:
    manager = boto3.client("secretsmanager")
    manager.put_secret_value(SecretId=SECRET_NAME, SecretString="the-new-one")
    rotated_at = manager.get_secret_value(SecretId=SECRET_NAME)["CreatedDate"]

    for hours, expected in ((1, 200), (23, 200), (25, 401)):
        clock.now = rotated_at + timedelta(hours=hours)
        assert inbound.post(headers=sign(BODY, at=clock.now)).status == expected
        assert inbound.post(headers=sign(BODY, "the-new-one", clock.now)).status == 200


def test_fc_58_a_new_secret_is_accepted_at_once_and_not_when_the_memory_of_the_old_one_ends(
    inbound: Inbound, listening: App, clock: FakeClock
) -> None:
    assert inbound.post().status == 200
    boto3.client("secretsmanager").put_secret_value(SecretId=SECRET_NAME, SecretString="new")

    clock.advance(11)

    assert inbound.post(headers=sign(BODY, "new", clock.now)).status == 200
    assert inbound.post(headers=sign(BODY, at=clock.now)).status == 200
