"""Spans of time as an operator writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from infra.cli.errors import UsageError
from riel.domain.instants import to_text

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,7})([smhd])", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `10m`, `2h`, `1d` or several of them (`1h30m`); raises UsageError."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a duration.", "Write it like 90s, 10m, 2h or 1d.")
    return timedelta(seconds=sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts))


def parse_instant(text: str, now: datetime) -> datetime:
    """Read `2026-04-17T12:00:00Z`, a date, `now`, or a duration ago (`15m`); raises UsageError."""
    if text == "now":
        return now
    if _DURATION.match(text) and text[-1] in _UNIT_SECONDS:
        return now - parse_duration(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        hint = "Write it like 2026-04-17T12:00:00Z, 2026-04-17, now, or 15m for 15 minutes ago."
        raise UsageError(f"{text!r} is not a time.", hint) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def parse_day(text: str) -> str:
    """Read a UTC day, `2026-04-17`; raises UsageError."""
    try:
        if len(text) == 10:
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        pass
    raise UsageError(f"{text!r} is not a day.", "Write it like 2026-04-17 (UTC).")


def age(span: timedelta) -> str:
    """Write an age in its largest unit: `4 s`, `12 min`, `3 h`, `2 d`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size * (2 if unit != "min" else 1):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def precise(span: timedelta) -> str:
    """Write how long something took: `85 ms`, `1.24 s`, `3 min 05 s`, `2 h 10 min`."""
    milliseconds = round(span.total_seconds() * 1000)
    if abs(milliseconds) < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def day_and_time(at: datetime) -> str:
    """Write a moment in UTC to the millisecond: `2026-04-17 12:00:00.000`."""
    return to_text(at).replace("T", " ").removesuffix("Z")


def time_of_day(at: datetime) -> str:
    """Write a moment's time in UTC to the millisecond."""
    return day_and_time(at)[11:]


def after_time(before: datetime | None, at: datetime) -> str:
    """Write a moment in UTC that follows another in a list, with its day only where that is new."""
    is_same_day = before is not None and day_and_time(before)[:10] == day_and_time(at)[:10]
    return time_of_day(at) if is_same_day else day_and_time(at)
