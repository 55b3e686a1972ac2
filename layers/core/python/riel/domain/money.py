"""Money: whole minor units of one currency. No float ever, no rounding ever."""

from __future__ import annotations

import re
from dataclasses import dataclass

from riel.domain.currencies import EXPONENTS

MAX_DIGITS_BEFORE_POINT = 12
_DECIMAL = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)


class AmountError(ValueError):
    """An amount that can not be taken. `code` is what the API answers for the field."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` units (an int, of any sign) of `currency` (upper-case ISO 4217)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what is not money."""
        if self.currency not in EXPONENTS:
            raise AmountError("currency_invalid", f"{self.currency!r} is not a current currency")
        if type(self.minor) is not int:
            raise AmountError("amount_invalid", "minor units are whole numbers")

    @property
    def exponent(self) -> int:
        """How many decimals the currency has."""
        return EXPONENTS[self.currency]

    def __str__(self) -> str:
        """Write major units with exactly the currency's decimals: `100.50`."""
        sign, digits = ("-", -self.minor) if self.minor < 0 else ("", self.minor)
        if self.exponent == 0:
            return f"{sign}{digits}"
        whole, fraction = divmod(digits, 10**self.exponent)
        return f"{sign}{whole}.{fraction:0{self.exponent}d}"


def parse_amount(text: str, currency: str) -> Money:
    """Read a positive decimal text in major units, such as `"100.5"`.

    Refuses (AmountError): anything but ASCII digits with at most one point, a sign, an exponent,
    a space, a leading zero, more decimals than the currency has, more than 12 digits before the
    point, and zero.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise AmountError(
            "amount_invalid", 'write a decimal string such as "100.50": digits and one point only'
        )
    whole, fraction = match[1], match[2] or ""
    if len(whole) > MAX_DIGITS_BEFORE_POINT:
        raise AmountError(
            "amount_too_large", f"at most {MAX_DIGITS_BEFORE_POINT} digits before the point"
        )
    if currency not in EXPONENTS:
        raise AmountError("currency_invalid", f"{currency!r} is not a current currency")
    exponent = EXPONENTS[currency]
    if len(fraction) > exponent:
        raise AmountError("amount_invalid", f"{currency} has {exponent} decimals, not more")
    minor = int(whole + fraction.ljust(exponent, "0"))
    if minor == 0:
        raise AmountError("amount_invalid", "the amount must be above zero")
    return Money(minor, currency)
