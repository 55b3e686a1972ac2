"""The retry schedule."""

from __future__ import annotations

from random import Random

from riel.webhooks.schedule import MAX_RETRY_AFTER_SECONDS, next_delay


def test_the_waits_follow_the_schedule_within_a_fifth_and_then_end() -> None:
    random = Random(1)
    for _ in range(200):
        waits = [next_delay(n, (1, 2, 4, 100), random) for n in range(5)]

        assert waits[0] == 1
        assert waits[1] == 2
        assert waits[2] in (3, 4, 5)
        assert waits[3] is not None
        assert 80 <= waits[3] <= 120
        assert waits[4] is None


def test_retry_after_lengthens_the_wait_and_is_capped() -> None:
    assert next_delay(0, (1,), Random(1), retry_after=30) == 30
    assert next_delay(0, (100,), Random(1), retry_after=1) != 1
    assert next_delay(0, (1,), Random(1), retry_after=10**9) == MAX_RETRY_AFTER_SECONDS
