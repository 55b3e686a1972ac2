"""Spans and instants on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.cli.durations import age, parse_day, parse_duration, parse_instant, precise
from infra.cli.errors import UsageError

NOW = datetime(2026, 4, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400)],
)
def test_a_duration_has_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "m", "10 m", "-5m", "10M", "1.5h", "10mx", "x10m", "\u0661m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", NOW),
        ("15m", NOW - timedelta(minutes=15)),
        ("2026-04-17T10:00:00Z", NOW - timedelta(hours=2)),
        ("2026-04-17T10:00:00", NOW - timedelta(hours=2)),
        ("2026-04-17T10:00:00-02:00", NOW),
        ("2026-04-17", NOW - timedelta(hours=12)),
    ],
)
def test_an_instant_is_absolute_or_ago(text: str, instant: datetime) -> None:
    assert parse_instant(text, NOW) == instant


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "12:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        parse_instant(text, NOW)


@pytest.mark.parametrize("text", ["2026-4-17", "2026-02-30", "20260417", "today"])
def test_a_day_is_written_in_full(text: str) -> None:
    assert parse_day("2026-04-17") == "2026-04-17"
    with pytest.raises(UsageError, match="not a day"):
        parse_day(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_an_age_has_one_unit(seconds: int, words: str) -> None:
    assert age(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.0854, "85 ms"),
        (0.9996, "1.00 s"),
        (59.994, "59.99 s"),
        (81, "1 min 21 s"),
        (7810, "2 h 10 min"),
    ],
)
def test_how_long_something_took(seconds: float, words: str) -> None:
    assert precise(timedelta(seconds=seconds)) == words
