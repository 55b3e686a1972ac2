"""Signatures of PSPs' events: one test for each way to be wrong."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.simulator.posting import signature
from riel.errors import SignatureInvalidError, TimestampOutOfToleranceError
from riel.gateways.signatures import verify
from tests.builders import NOON

SECRET = "a-secret"
BODY = '{"id": "evt_1", "name": "Ñandú"}'.encode()
AT = int(NOON.timestamp())
GOOD = signature(SECRET, AT, BODY)
MAC = GOOD.partition("v1=")[2]


def test_what_the_psp_signed_is_accepted() -> None:
    verify(GOOD, BODY, [SECRET], NOON)


def test_a_known_answer() -> None:
    """The scheme is told by its documents, not by our own signer alone."""
    mac = hmac.new(b"a-secret", b"1776427200.{}", hashlib.sha256).hexdigest()

    verify(f"t=1776427200,v1={mac}", b"{}", ["a-secret"], NOON)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "none",
        MAC,
        f"v1={MAC}",
        f"t={AT}",
        f"t={AT},v1=",
        f"t=,v1={MAC}",
        f"t={AT},v0={MAC}",
        f"t={AT},none={MAC}",
        f"t={AT},v1=none",
        f"t={AT},v1={MAC[:-1]}",
        f"t={AT},v1={MAC}0",
        f"t={AT},v1={MAC.upper()}",
        f"t={AT + 1},v1={MAC}",
        f"t=+{AT},v1={MAC}",
        f"t=٣,v1={MAC}",
        f"t={AT},t={AT},v1={MAC}",
        f"t={AT},v1={MAC},t={AT + 1}",
        f"t={AT},v1=\ud800",
        f"t={AT},v1={MAC}" + ",x=y" * 1_000,
    ],
)
def test_fc_47_a_missing_garbled_or_foreign_signature_is_refused(header: str | None) -> None:
    with pytest.raises(SignatureInvalidError):
        verify(header, BODY, [SECRET], NOON)


def test_fc_47_every_changed_byte_breaks_the_signature() -> None:
    for position in range(len(BODY)):
        changed = bytearray(BODY)
        changed[position] ^= 1
        with pytest.raises(SignatureInvalidError):
            verify(GOOD, bytes(changed), [SECRET], NOON)


def test_fc_47_another_algorithm_is_no_signature() -> None:
    mac = hmac.new(SECRET.encode(), f"{AT}.".encode() + BODY, hashlib.sha1).hexdigest()

    with pytest.raises(SignatureInvalidError):
        verify(f"t={AT},v1={mac}", BODY, [SECRET], NOON)


@pytest.mark.parametrize("secrets", [["another"], [], [""], ["a-secret "]])
def test_fc_47_another_secret_or_none_is_refused(secrets: list[str]) -> None:
    with pytest.raises(SignatureInvalidError):
        verify(GOOD, BODY, secrets, NOON)


def test_fc_47_an_empty_secret_lets_nobody_sign() -> None:
    with pytest.raises(SignatureInvalidError):
        verify(signature("", AT, BODY), BODY, [""], NOON)


def test_fc_47_the_refusal_repeats_nothing_of_the_signature() -> None:
    with pytest.raises(SignatureInvalidError) as refused:
        verify(f"t={AT},v1={'0' * 64}", BODY, [SECRET], NOON)

    assert "0" * 8 not in str(refused.value)
    assert MAC[:8] not in str(refused.value)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_fc_48_a_clock_may_differ_by_five_minutes(seconds: int) -> None:
    verify(signature(SECRET, AT + seconds, BODY), BODY, [SECRET], NOON)


@pytest.mark.parametrize("seconds", [-301, 301, -AT, 999_999_999_999 - AT])
def test_fc_48_a_good_signature_of_another_time_is_told_from_a_forgery(seconds: int) -> None:
    with pytest.raises(TimestampOutOfToleranceError):
        verify(signature(SECRET, AT + seconds, BODY), BODY, [SECRET], NOON)


def test_fc_48_a_forgery_of_another_time_is_a_forgery() -> None:
    with pytest.raises(SignatureInvalidError):
        verify(signature("another", AT - 301, BODY), BODY, [SECRET], NOON)


def test_fc_58_while_we_rotate_both_secrets_are_accepted() -> None:
    for signed_with in ("new", "old"):
        verify(signature(signed_with, AT, BODY), BODY, ["new", "old"], NOON)


def test_fc_58_while_the_psp_rotates_one_of_its_signatures_is_enough() -> None:
    other = signature("other", AT, BODY).partition("v1=")[2]

    verify(f"t={AT},v1={other},v0=zz,v1={MAC}", BODY, [SECRET], NOON)
    verify(f"t={AT}, v1={MAC}, v1={other}", BODY, [SECRET], NOON)


@given(header=st.text(max_size=200), body=st.binary(max_size=50))
def test_no_text_is_a_signature_by_chance_or_breaks_the_reader(header: str, body: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        verify(header, body, [SECRET], NOON)
