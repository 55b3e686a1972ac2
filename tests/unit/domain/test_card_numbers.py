"""Card numbers are found in any writing; what only looks like one is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.domain.card_numbers import holds_card_number
from riel.domain.clabe import is_clabe

# The networks' published test numbers.
CARDS = [
    "4242424242424242",
    "4111 1111 1111 1111",
    "4222222222222",
    "5555-5555-5555-4444",
    "2223003122003222",
    "378282246310005",
    "3782 822463 10005",
    "6011111111111117",
    "30569309025904",
    "3566002020360505",
    "6200000000000005",
    "6304000000000000",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "card {} please",
        "({}),",
        "n°{}",
        "{}\n",
        "x:{};y",
        "_{}_",
        "12 {}",
        "{} 12/28",
        "1-2-{}",
    ],
)
def test_a_card_number_is_found(card: str, around: str) -> None:
    assert holds_card_number(around.format(card))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Order #123",
        "4242424242424241",  # Luhn
        "a4242424242424242",  # part of a longer run
        "4242424242424242a",
        "42424242424242421234",
        "4242  4242  4242  4242",  # double spaces
        "4242.4242.4242.4242",
        "1776427200000",  # milliseconds since 1970
        "1776427200123456",
        "pay_4242424242424242aaaaaaaaaa",
        "2026-04-17 12:00:00.000",
        "646180157000000004",  # a CLABE
        "032180000118359719",
        "9999999999999999",  # nobody's prefix
        "424242424242424",  # a prefix without its length
        "\uff14\uff12\uff14\uff12" * 4,  # full-width digits are no digits
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert not holds_card_number(text)


@given(st.integers(0, 10**17 - 1))
def test_no_clabe_is_a_card_number(number: int) -> None:
    clabes = [text for last in range(10) if is_clabe(text := f"{number:017d}{last}")]

    assert len(clabes) == 1, "each account has exactly one control digit"
    assert not holds_card_number(clabes[0])


@pytest.mark.parametrize(
    "clabe",
    ["032180000118359719", "002010077777777771", "103150124152345786", "012180026050783858"],
)
def test_published_clabes(clabe: str) -> None:
    assert is_clabe(clabe)
    assert not is_clabe(clabe[:-1] + str((int(clabe[-1]) + 1) % 10))


@pytest.mark.parametrize(
    "text", ["", "03218000011835971", "0321800001183597199", "03218000011835971\u00b2"]
)
def test_what_is_no_clabe(text: str) -> None:
    assert not is_clabe(text)


@given(st.text(max_size=60))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert holds_card_number(text) in (True, False)
