"""Days where people live: a voucher that is due on a day is due by that day's local midnight."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

LAST_SECOND = time(23, 59, 59)


def end_of_day(now: datetime, days: int, zone: str) -> datetime:
    """Return the last second of the day that is so many days after today, in a time zone."""
    local = ZoneInfo(zone)
    day = now.astimezone(local).date() + timedelta(days=days)
    return datetime.combine(day, LAST_SECOND, local).astimezone(UTC)
