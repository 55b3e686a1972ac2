"""Cursors: sealed to one list, for a day."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.errors import MalformedRequestError
from riel.services.listing_cursor import ListingCursors
from tests.builders import NOON

POSITION = "2026-04-17T12:00:00.000Z#pay_" + "a" * 26
CURSORS = ListingCursors("secret", ("demo", "test", "", "", ""))
CURSOR = CURSORS.write(POSITION, NOON)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refuse(cursor: str, cursors: ListingCursors = CURSORS, after: timedelta = timedelta()) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        cursors.read(cursor, NOON + after)
    assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")
    assert caught.value.problems[0].field == "cursor"
    assert "begin again without a cursor" in str(caught.value)


def test_a_cursor_is_read_as_it_was_written_and_fits_into_an_address() -> None:
    assert CURSORS.read(CURSOR, NOON) == POSITION
    assert set(CURSOR) <= set(ALPHABET)
    assert len(CURSOR) < 120


@given(st.integers(0, len(CURSOR) - 1), st.sampled_from(ALPHABET))
def test_fc_25_a_cursor_with_any_character_changed_is_refused(at: int, character: str) -> None:
    changed = CURSOR[:at] + character + CURSOR[at + 1 :]

    if changed != CURSOR:
        refuse(changed)


@given(st.text(max_size=300))
def test_fc_25_garbage_is_refused_whatever_it_is(garbage: str) -> None:
    refuse(garbage)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "A",
        "=" * 4,
        CURSOR + "=",
        CURSOR + "\n",
        CURSOR[:20] + " " + CURSOR[20:],
        CURSOR[:-1],
        CURSOR + "AAAA",
        CURSOR.replace(CURSOR[3], "é"),
        "\ud800",
        "A" * 10_240,
        base64.urlsafe_b64encode(f"1.9999999999.{POSITION}".encode()).decode().rstrip("="),
    ],
)
def test_fc_25_a_cursor_of_another_make_is_refused(cursor: str) -> None:
    refuse(cursor)


@pytest.mark.parametrize("length", range(50, 56))
def test_fc_25_one_cursor_has_one_spelling_whatever_its_length(length: int) -> None:
    cursor = CURSORS.write(POSITION[:length], NOON)

    readable = []
    for character in ALPHABET:
        try:
            readable.append(CURSORS.read(cursor[:-1] + character, NOON))
        except MalformedRequestError:
            continue
    assert readable == [POSITION[:length]]


def test_fc_25_a_cursor_expires_after_a_day() -> None:
    assert CURSORS.read(CURSOR, NOON + timedelta(hours=23, minutes=59)) == POSITION

    refuse(CURSOR, after=timedelta(hours=24))


@pytest.mark.parametrize(
    "cursors",
    [
        ListingCursors("another secret", ("demo", "test", "", "", "")),
        ListingCursors("secret", ("other", "test", "", "", "")),
        ListingCursors("secret", ("demo", "live", "", "", "")),
        ListingCursors("secret", ("demo", "test", "failed", "", "")),
        ListingCursors("secret", ("demo", "test", "", "2026-04-17T12:00:00.000Z", "")),
        ListingCursors("secret", ("demo", "test", "", "", "2026-04-17T12:00:00.000Z")),
        ListingCursors("secret", ("demotest", "", "", "", "")),
    ],
)
def test_fc_25_a_cursor_of_another_list_is_refused(cursors: ListingCursors) -> None:
    refuse(CURSOR, cursors)
