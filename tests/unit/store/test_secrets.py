"""A shared secret and the one before it: which of them counts, and for how long."""

from __future__ import annotations

from datetime import timedelta

from riel.store.secrets import OVERLAP, Secret
from tests.builders import NOON

MOMENT = timedelta(milliseconds=1)


def test_a_secret_that_was_never_rotated_is_the_only_one() -> None:
    assert Secret("now", NOON).accepted(NOON) == ("now",)


def test_fc_58_the_secret_before_counts_until_the_overlap_ends_and_comes_second() -> None:
    rotated = Secret("now", NOON, "before")

    assert rotated.accepted(NOON) == ("now", "before")
    assert rotated.accepted(NOON + OVERLAP - MOMENT) == ("now", "before")
    assert rotated.accepted(NOON + OVERLAP) == ("now",)


def test_a_clock_that_is_behind_the_one_of_the_rotation_refuses_neither() -> None:
    assert Secret("now", NOON, "before").accepted(NOON - OVERLAP) == ("now", "before")
