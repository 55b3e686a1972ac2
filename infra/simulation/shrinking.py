"""Make a failing run small: first fewer payments, then fewer faults, while it fails the same way.

What is left is what a person has to read, so each of it is needed: without any one of the faults
the run does not fail. That is Zeller's ddmin; it ends after so many tries, not after so much time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

MAX_TRIES = 150

Part = TypeVar("Part")


class Tries:
    """Counts what shrinking has tried, over all its steps."""

    def __init__(self, most: int = MAX_TRIES) -> None:
        self.left = most

    def take(self) -> bool:
        """Take one; return whether there was one."""
        self.left -= 1
        return self.left >= 0


def shrunk(
    parts: Sequence[Part], fails: Callable[[Sequence[Part]], bool], tries: Tries | None = None
) -> list[Part]:
    """Return a part of `parts` for which `fails` still holds, in their order.

    No single one of it can be left out, unless the tries have run out.
    """
    tries = tries or Tries()
    kept, pieces = list(parts), 2
    while kept:
        smaller = _without_a_piece(kept, min(pieces, len(kept)), fails, tries)
        if smaller is not None:
            kept, pieces = smaller, max(pieces - 1, 2)
        elif pieces < len(kept) and tries.left > 0:
            pieces = min(2 * pieces, len(kept))
        else:
            break
    return kept


def _without_a_piece(
    parts: list[Part], pieces: int, fails: Callable[[Sequence[Part]], bool], tries: Tries
) -> list[Part] | None:
    """Leave out one of so many pieces, the last first: what came late matters least."""
    bounds = [len(parts) * number // pieces for number in range(pieces + 1)]
    for start, end in reversed(list(pairwise(bounds))):
        rest = parts[:start] + parts[end:]
        if tries.take() and fails(rest):
            return rest
    return None
