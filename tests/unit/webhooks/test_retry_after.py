"""When an endpoint wants to be called again, in the two forms of RFC 9110, and what is neither."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.webhooks.sending import retry_after

NOW = datetime(2026, 11, 6, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("007", 7),
        ("-5", 0),
        ("999999999999999999", 999_999_999_999_999_999),
        ("Fri, 06 Nov 2026 12:01:00 GMT", 60),
        ("Friday, 06-Nov-26 12:01:00 GMT", 60),
        ("Fri Nov  6 12:01:00 2026", 60),
        ("Fri, 06 Nov 2026 06:01:00 -0600", 60),
        ("Fri, 06 Nov 2026 12:01:00 -0000", 60),
        ("Fri, 06 Nov 2026 11:59:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ],
)
def test_seconds_or_a_date(text: str, seconds: int) -> None:
    assert retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "soon", "1.5", "1e3", "+5", "0x10", "1 minute", "--5", "5 5", "\u0665",
        "9" * 5_000, "Fri, 99 Nov 2026 12:01:00 GMT", "Fri, 06 Nov 99999 12:01:00 GMT",
        "2026-11-06T12:01:00Z",
    ],
)  # fmt: skip
def test_anything_else_is_nothing(text: str) -> None:
    assert retry_after(text, NOW) is None


words = st.sampled_from(
    ["Fri,", "06", "Nov", "2026", "12:01:00", "GMT", "-9999", "+2500", "99:99:99", "0", "-", ":"]
)


@given(st.one_of(st.text(max_size=60), st.text(string.printable), st.lists(words).map(" ".join)))
def test_no_text_breaks_it(text: str) -> None:
    seconds = retry_after(text, NOW)

    assert seconds is None or seconds >= 0
