"""What a create request may hold: every problem is named, no value is repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.schemas import read_order
from riel.domain.money import Money
from riel.errors import (
    InvalidRequestError,
    MalformedRequestError,
    PayloadTooLargeError,
    RejectedError,
)
from riel.services.fingerprint import fingerprint

GOOD: dict[str, Any] = {"amount": "100.50", "currency": "MXN"}


def codes(**fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        read_order(json.dumps({**GOOD, **fields}).encode(), allow_loopback=False)
    return {problem.field: problem.code for problem in caught.value.problems}


def test_a_small_request_is_enough() -> None:
    order = read_order(json.dumps(GOOD).encode(), allow_loopback=False)

    assert order.amount == Money(10_050, "MXN")
    assert order.method == "card"


@pytest.mark.parametrize(
    "amount",
    [
        *("1e2", "1e400", "NaN", "Infinity", "-1", "+5", " 5 ", "0x10", "01", "\uff11\uff10\uff10"),
        *("", "0", "0.00", 0, -1, None, True, [], {}),
    ],
)
def test_fc_17_an_amount_that_is_no_plain_decimal(amount: Any) -> None:
    assert codes(amount=amount) == {"amount": "amount_invalid"}


@pytest.mark.parametrize("raw", ["10.1", "1e2", "1e400", "1E-400", "1e99999999999999999999"])
def test_fc_17_a_json_float_is_never_an_amount(raw: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_order(b'{"amount": %s, "currency": "MXN"}' % raw.encode(), allow_loopback=False)

    assert [p.code for p in caught.value.problems] == ["amount_invalid"]


def test_an_integer_is_an_amount_in_major_units() -> None:
    order = read_order(b'{"amount": 100, "currency": "MXN"}', allow_loopback=False)

    assert order.amount == Money(10_000, "MXN")


def test_all_problems_come_at_once_and_name_their_fields() -> None:
    found = codes(
        amount="0",
        currency="mxn",
        description="x" * 501,
        metadata={"k": 1},
        webhook_url="http://example.com",
        status="completed",
    )

    assert found == {
        "amount": "amount_invalid",
        "currency": "currency_invalid",
        "description": "too_long",
        "metadata": "metadata_invalid",
        "webhook_url": "webhook_url_forbidden",
        "status": "unknown_field",
    }


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"currency": "XXX"}, {"currency": "currency_invalid"}),
        ({"currency": "USD", "method": "oxxo"}, {"currency": "currency_invalid"}),
        ({"method": "cash"}, {"method": "method_invalid"}),
        ({"amount": "9.99", "method": "oxxo"}, {"amount": "amount_too_small"}),
        ({"amount": "10000.01", "method": "oxxo"}, {"amount": "amount_too_large"}),
        ({"amount": "1.001"}, {"amount": "amount_invalid"}),
        ({"amount": "1000000000000"}, {"amount": "amount_too_large"}),
        ({"metadata": {str(n): "" for n in range(51)}}, {"metadata": "too_many"}),
        ({"metadata": {"k" * 41: ""}}, {"metadata": "too_long"}),
        ({"metadata": {"k": "v" * 501}}, {"metadata": "too_long"}),
        ({"metadata": {"k": {"nested": "v"}}}, {"metadata": "metadata_invalid"}),
        ({"description": "a\x00b"}, {"description": "character_invalid"}),
        ({"description": "\ud800"}, {"description": "character_invalid"}),
        ({"metadata": {"\x00": "v"}}, {"metadata": "character_invalid"}),
        (
            {"payment_method_token": "tok ok"},
            {"payment_method_token": "payment_method_token_invalid"},
        ),
        ({"reference": ""}, {"reference": "too_short"}),
    ],
)
def test_each_rule_has_its_code(fields: dict[str, Any], problems: dict[str, str]) -> None:
    assert codes(**fields) == problems


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "card 4242 4242 4242 4242"},
        {"metadata": {"note": "4242424242424242"}},
        {"metadata": {"4242424242424242": "x"}},
        {"reference": "4242-4242-4242-4242"},
    ],
)
def test_fc_26_a_card_number_is_refused_and_not_repeated(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_order(json.dumps({**GOOD, **fields}).encode(), allow_loopback=False)

    (problem,) = caught.value.problems
    assert (problem.field, problem.code) == (next(iter(fields)), "card_number_forbidden")
    assert "4242" not in str(caught.value) + problem.message


def test_fc_21_right_to_left_text_and_emoji_are_fine() -> None:
    body = json.dumps({**GOOD, "description": "שלום 🚆", "metadata": {"é": "🙂"}})

    assert read_order(body.encode(), allow_loopback=False).description == "שלום 🚆"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b"\xef\xbb\xbf{}",
        '{"description": "\ufffd"}'.encode(),
        b'{"amount": "1", "amount": "2", "currency": "MXN"}',
        b'{"amount": "1", "currency": "MXN", "metadata": {"a": "1", "a": "2"}}',
        b'{"amount": NaN, "currency": "MXN"}', b'{"amount": -Infinity, "currency": "MXN"}',
        b"[" * 20_000, b'{"a":' * 10_000,
        b'{"amount": ' + b"9" * 5_000 + b', "currency": "MXN"}',
    ],
)  # fmt: skip
def test_fc_22_what_can_not_be_parsed_is_malformed(body: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        read_order(body, allow_loopback=False)

    assert caught.value.status in (400, 422)
    assert body.startswith(b'{"amount": 9') or isinstance(caught.value, MalformedRequestError)


def test_a_body_over_64_kib_is_refused_unread() -> None:
    with pytest.raises(PayloadTooLargeError):
        read_order(b" " * (64 * 1024 + 1), allow_loopback=False)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with pytest.raises(RejectedError):
        read_order(body, allow_loopback=False)


@given(
    st.dictionaries(
        st.sampled_from(
            ["amount", "currency", "method", "metadata", "webhook_url", "reference", "x"]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False)
            | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_no_json_breaks_the_reader(fields: dict[str, Any]) -> None:
    try:
        read_order(json.dumps(fields).encode(), allow_loopback=False)
    except RejectedError as error:
        assert error.status in (400, 422)


def test_fc_07_the_fingerprint_ignores_order_space_and_trailing_zeros() -> None:
    one = read_order(b'{"amount":"100.5","currency":"MXN"}', allow_loopback=False)
    two = read_order(b' {"currency" : "MXN", "amount": "100.50"}', allow_loopback=False)
    other = read_order(b'{"amount":"100.51","currency":"MXN"}', allow_loopback=False)
    sent_default = read_order(
        b'{"amount":"100.5","currency":"MXN","method":"card"}', allow_loopback=False
    )

    assert fingerprint(one.sent) == fingerprint(two.sent)
    assert fingerprint(one.sent) != fingerprint(other.sent)
    assert fingerprint(one.sent) != fingerprint(sent_default.sent)
