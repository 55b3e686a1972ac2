"""Finds card numbers in free text, so that none is ever stored, repeated or logged (PCI DSS 3).

A card number is 13 to 19 digits, with single spaces or hyphens allowed between, that is not part of
a longer run of letters or digits, has an issuer's prefix with a length that the issuer uses, and
passes Luhn (ISO/IEC 7812-1). Ids, timestamps and CLABEs are not card numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from riel.domain.clabe import is_clabe

SHORTEST, LONGEST = 13, 19
# Where a number may begin; what follows is read digit by digit, because in `12 4242 4242 …` the
# card's number is only a part of what the spaces hold together.
_BEGIN = re.compile(r"(?<![0-9A-Za-z])[0-9]", re.ASCII)
_DIGIT = re.compile(r"[ -]?([0-9])", re.ASCII)
_END = re.compile(r"(?![0-9A-Za-z])", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Prefixes from `low` to `high`, of as many digits as these have, and the lengths in use."""

    low: str
    high: str
    lengths: frozenset[int]

    def issues(self, digits: str) -> bool:
        return len(digits) in self.lengths and self.low <= digits[: len(self.low)] <= self.high


def _issuer(low: str, high: str, *lengths: int) -> _Issuer:
    return _Issuer(low, high, frozenset(lengths))


# The networks' published ranges; Carnet is Mexico's own.
_ISSUERS = (
    _issuer("4", "4", 13, 16, 19),  # Visa
    _issuer("51", "55", 16),  # Mastercard
    _issuer("2221", "2720", 16),  # Mastercard
    _issuer("34", "34", 15),  # American Express
    _issuer("37", "37", 15),  # American Express
    _issuer("300", "305", 14, 16, 19),  # Diners Club
    _issuer("3095", "3095", 14, 16, 19),  # Diners Club
    _issuer("36", "36", 14, 16, 19),  # Diners Club
    _issuer("38", "39", 14, 16, 19),  # Diners Club
    _issuer("3528", "3589", 16, 17, 18, 19),  # JCB
    _issuer("6011", "6011", 16, 19),  # Discover
    _issuer("644", "649", 16, 19),  # Discover
    _issuer("65", "65", 16, 19),  # Discover
    _issuer("62", "62", 16, 17, 18, 19),  # UnionPay
    _issuer("2200", "2204", 16, 17, 18, 19),  # Mir
    _issuer("50", "50", 13, 14, 15, 16, 17, 18, 19),  # Maestro, Carnet
    _issuer("56", "58", 13, 14, 15, 16, 17, 18, 19),  # Maestro
    _issuer("63", "63", 13, 14, 15, 16, 17, 18, 19),  # Maestro, Carnet
    _issuer("67", "67", 13, 14, 15, 16, 17, 18, 19),  # Maestro
    _issuer("286900", "286900", 16),  # Carnet
    _issuer("606333", "606333", 16),  # Carnet
)


def holds_card_number(text: str) -> bool:
    """Whether a card number stands somewhere in the text."""
    return any(
        _is_card_number(digits)
        for begin in _BEGIN.finditer(text)
        for digits in _numbers_from(text, begin.start())
    )


def _numbers_from(text: str, position: int) -> Iterator[str]:
    digits = text[position]
    position += 1
    while len(digits) < LONGEST and (match := _DIGIT.match(text, position)):
        digits += match[1]
        position = match.end()
        if len(digits) >= SHORTEST and _END.match(text, position):
            yield digits


def _is_card_number(digits: str) -> bool:
    if is_clabe(digits) or not any(issuer.issues(digits) for issuer in _ISSUERS):
        return False
    return _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0
