"""Money is exact, and everything that is not money is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.domain.currencies import EXPONENTS
from riel.domain.money import AmountError, Money, parse_amount

currencies = st.sampled_from(sorted(EXPONENTS))


@given(st.integers(1, 10**12 - 1), currencies)
def test_what_is_written_reads_back_the_same(minor: int, currency: str) -> None:
    money = Money(minor, currency)

    assert parse_amount(str(money), currency) == money


@given(st.integers(0, 10**12 - 1), st.text("0123456789", max_size=2))
def test_trailing_zeros_do_not_change_an_amount(whole: int, fraction: str) -> None:
    text = f"{whole}.{fraction}" if fraction else str(whole)
    padded = f"{whole}.{fraction.ljust(2, '0')}"

    if int(whole) == 0 and not fraction.strip("0"):
        with pytest.raises(AmountError, match="above zero"):
            parse_amount(text, "MXN")
    else:
        assert parse_amount(text, "MXN") == parse_amount(padded, "MXN")


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "10.", ".5", "-1", "+5", "1e2", "1E2", "0x10", "01", "00.5", "1,000", "1_000",
        " 5 ", "5\n", "NaN", "Infinity", "inf", "\uff11\uff10\uff10", "\u0661", "1.2.3", "1.001",
        "1/2", "\u00b2", "10\u00a0", "\u0661\u0660",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_decimal_is_invalid(text: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, "MXN")

    assert caught.value.code == "amount_invalid"


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("100.5", "MXN", 10_050),
        ("100", "JPY", 100),
        ("1.001", "KWD", 1_001),
        ("0.0001", "CLF", 1),
        ("999999999999.99", "MXN", 99_999_999_999_999),
    ],
)
def test_each_currency_has_its_own_scale(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("100.5", "JPY", "amount_invalid"),
        ("0", "MXN", "amount_invalid"),
        ("0.00", "MXN", "amount_invalid"),
        ("1000000000000", "MXN", "amount_too_large"),
        ("9" * 5000, "MXN", "amount_too_large"),
        ("1", "XXX", "currency_invalid"),
        ("1", "mxn", "currency_invalid"),
        ("1", "BGN", "currency_invalid"),
    ],
)
def test_a_broken_rule_is_named(text: str, currency: str, code: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, currency)

    assert caught.value.code == code


def test_money_can_not_hold_a_float_or_an_unknown_currency() -> None:
    with pytest.raises(AmountError):
        Money(1.5, "MXN")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(AmountError):
        Money(True, "MXN")
    with pytest.raises(AmountError):
        Money(1, "ZZZ")


def test_a_negative_amount_is_written_with_its_sign_once() -> None:
    assert str(Money(-5, "MXN")) == "-0.05"
    assert str(Money(-5, "JPY")) == "-5"
