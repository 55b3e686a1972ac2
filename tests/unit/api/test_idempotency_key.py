"""The Idempotency-Key header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.idempotency_key import read_header, read_key
from riel.errors import MalformedRequestError


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (' "a b" ', "a b"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ("k" * 255, "k" * 255),
    ],
)
def test_bare_and_quoted_forms_are_one_key(header: str, key: str) -> None:
    assert read_key(header) == key


@pytest.mark.parametrize("header", [None, "", "   ", "\t"])
def test_fc_08_a_missing_key_says_what_to_do(header: str | None) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        read_key(header)

    assert caught.value.code == "idempotency_key_missing"
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "header",
    [
        "k" * 256,
        "caf\u00e9",
        "a\x00b",
        "a\x7f",
        '"',
        '"a',
        '"a"b"',
        '"a\\b"',
        '""',
        '" "',
        '" a"',
        '"a "',
        r'"\"a"',
    ],
)
def test_fc_09_a_bad_key_is_refused(header: str) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        read_key(header)

    assert caught.value.code == "idempotency_key_invalid"


@pytest.mark.parametrize("header", ["k,k", "k, k", "a b,a b", ","])
def test_fc_09_a_header_that_was_sent_twice_is_refused(header: str) -> None:
    with pytest.raises(MalformedRequestError, match="once"):
        read_header(header)


@pytest.mark.parametrize(("header", "key"), [("a,b", "a,b"), ('"k,k"', "k,k"), ("k", "k")])
def test_a_comma_alone_makes_no_repeat(header: str, key: str) -> None:
    assert read_header(header) == key


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60))
def test_a_key_as_it_is_shown_is_the_same_key_bare_and_quoted(header: str) -> None:
    try:
        key = read_key(header)
    except MalformedRequestError:
        return

    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert read_key(key) == key
    assert read_key(f'"{escaped}"') == key
