"""A failure is made as small as it can be, and still fails the same way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.simulation.shrinking import Tries, shrunk


@given(st.sets(st.integers(0, 40), max_size=4), st.integers(41, 60))
def test_what_is_left_is_what_is_needed(needed: set[int], count: int) -> None:
    def fails(parts: Sequence[int]) -> bool:
        return needed <= set(parts)

    assert shrunk(range(count), fails, Tries(10_000)) == sorted(needed)


def test_one_part_of_two_that_do_alone_is_enough() -> None:
    assert len(shrunk(range(30), lambda parts: 3 in parts or 20 in parts)) == 1


def test_it_ends_with_the_tries_and_with_a_failure() -> None:
    tried: list[Sequence[int]] = []

    def fails(parts: Sequence[int]) -> bool:
        tried.append(parts)
        return len(parts) >= 50

    left = shrunk(range(100), fails, Tries(20))

    assert len(tried) == 20
    assert 50 <= len(left) < 100


@pytest.mark.parametrize("parts", [[], [1]])
def test_a_failure_that_needs_nothing_shrinks_to_nothing(parts: list[int]) -> None:
    assert shrunk(parts, lambda _: True) == []
