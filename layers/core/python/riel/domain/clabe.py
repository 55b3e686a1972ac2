"""CLABE, the Mexican account number: bank 3, plaza 3, account 11, control 1 digits.

The control digit: weights 3, 7, 1 over the first seventeen, each product modulo 10, and
(10 - sum mod 10) mod 10 (Banco de Mexico's circular on SPEI accounts).
"""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[0-9]{18}", re.ASCII)
_WEIGHTS = (3, 7, 1)


def is_clabe(text: str) -> bool:
    """Whether the text is 18 ASCII digits with the right control digit."""
    if not _SHAPE.fullmatch(text):
        return False
    products = (int(digit) * _WEIGHTS[n % 3] % 10 for n, digit in enumerate(text[:17]))
    return (10 - sum(products) % 10) % 10 == int(text[17])
