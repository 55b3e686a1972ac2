"""What a broken invariant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold: its name, what was seen, and after how many seconds."""

    name: str
    text: str
    at: float
