"""What each method takes: its currencies, and the smallest and largest amount.

Source: OXXO's cash limits of 10 to 10,000 pesos for one voucher; SPEI moves pesos only.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from riel.domain.calendar import end_of_day
from riel.domain.money import AmountError, Money
from riel.domain.payment import Method

CURRENCIES: dict[Method, frozenset[str]] = {
    Method.OXXO: frozenset({"MXN"}),
    Method.SPEI: frozenset({"MXN"}),
}
"""Methods that are not here take every current currency."""
LIMITS: dict[Method, tuple[Money, Money]] = {
    Method.OXXO: (Money(10_00, "MXN"), Money(10_000_00, "MXN")),
}
"""Smallest and largest amount, both allowed; methods that are not here have no limits."""

OXXO_DAYS = 3
"""A voucher is paid in a shop by the end of the third day after it was made, shops' time."""
MEXICO = "America/Mexico_City"
SPEI_LIFE = timedelta(hours=24)


def takes(method: Method, currency: str) -> bool:
    """Whether the method takes the currency (a current one)."""
    return method not in CURRENCIES or currency in CURRENCIES[method]


def check_limits(method: Method, amount: Money) -> None:
    """Raise AmountError naming the limit that the amount breaks."""
    smallest, largest = LIMITS.get(method, (None, None))
    if smallest is not None and amount.minor < smallest.minor:
        raise AmountError(
            "amount_too_small", f"{method} takes {smallest} {smallest.currency} or more"
        )
    if largest is not None and amount.minor > largest.minor:
        raise AmountError(
            "amount_too_large", f"{method} takes {largest} {largest.currency} at most"
        )


def voucher_expiry(method: Method, created_at: datetime) -> datetime | None:
    """Until when a payment by voucher may be paid; always the same for the same payment."""
    if method is Method.OXXO:
        return end_of_day(created_at, OXXO_DAYS, MEXICO)
    return created_at + SPEI_LIFE if method is Method.SPEI else None
