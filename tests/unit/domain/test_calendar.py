"""Days end where people live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from riel.domain.calendar import end_of_day
from riel.domain.methods import voucher_expiry
from riel.domain.payment import Method


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-04-17T12:00:00", "2026-04-21T05:59:59"),
        # Half past eleven in the evening in Mexico is the next day in UTC, but not there.
        ("2026-04-18T05:30:00", "2026-04-21T05:59:59"),
        ("2026-04-18T06:00:00", "2026-04-22T05:59:59"),
        ("2026-12-30T12:00:00", "2027-01-03T05:59:59"),
        # A leap year has one day more before March, and the year before it has not.
        ("2028-02-27T12:00:00", "2028-03-02T05:59:59"),
        ("2027-02-27T12:00:00", "2027-03-03T05:59:59"),
    ],
)
def test_fc_73_the_third_day_ends_at_midnight_in_mexico(now: str, expected: str) -> None:
    found = end_of_day(datetime.fromisoformat(now).replace(tzinfo=UTC), 3, "America/Mexico_City")

    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


def test_fc_73_a_day_on_which_the_clocks_change_ends_at_its_own_midnight() -> None:
    eve = datetime(2026, 10, 24, 12, tzinfo=UTC)

    assert end_of_day(eve, 0, "Europe/Madrid") == datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC)
    assert end_of_day(eve, 1, "Europe/Madrid") == datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC)


def test_cards_do_not_expire_and_transfers_have_a_day() -> None:
    now = datetime(2026, 4, 17, 12, tzinfo=UTC)

    assert voucher_expiry(Method.CARD, now) is None
    assert voucher_expiry(Method.SPEI, now) == now + timedelta(hours=24)
