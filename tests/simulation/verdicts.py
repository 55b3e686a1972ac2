"""What came of the search for a mutant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tried` tells how many runs it took; the last one was that with this `number`.

    `at` is its seed, or its fault. `invariant` and `text` say what did not hold there.
    """

    mutant: str
    search: str
    scenario: str
    tried: int
    number: int = 0
    is_caught: bool = False
    at: str = ""
    invariant: str = ""
    text: str = ""
