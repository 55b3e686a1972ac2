"""Instants as text: RFC 3339 in UTC with milliseconds, `2026-04-17T12:00:00.000Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def to_text(instant: datetime) -> str:
    """Write an aware datetime; texts of equal length sort as the instants do."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.fromisoformat(text)


def epoch_milliseconds(instant: datetime) -> int:
    """Whole milliseconds since 1970, exactly (no float in between)."""
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_epoch_milliseconds(milliseconds: int) -> datetime:
    """Read what `epoch_milliseconds` gave."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
