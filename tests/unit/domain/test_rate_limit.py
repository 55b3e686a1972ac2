"""The bucket's arithmetic: whole nanoseconds, rounded against the caller."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riel.domain.rate_limit import ROUNDING_NS, SECOND_NS, Bucket, epoch_nanoseconds, whole_seconds
from tests.builders import NOON

BUCKETS = st.builds(Bucket, st.integers(1, 20_000), st.integers(1, 50_000))
NOW = epoch_nanoseconds(NOON)


def test_a_full_bucket_gives_its_burst_at_once_and_then_one_for_each_moment_of_the_rate() -> None:
    bucket = Bucket(rate=10, burst=20)

    assert bucket.fitting(tat=0, now=NOW) == 20
    empty = NOW + bucket.time_of(20)
    assert bucket.fitting(empty, NOW) == 0
    assert bucket.free_at(empty) == NOW + SECOND_NS // 10 - ROUNDING_NS
    assert bucket.fitting(empty, NOW + SECOND_NS) == 10
    assert bucket.fitting(empty, NOW + 60 * SECOND_NS) == 20


@given(BUCKETS, st.integers(0, 10**12), st.integers(1, 50_000))
def test_what_fits_can_be_taken_and_one_more_can_not(
    bucket: Bucket, behind: int, tokens: int
) -> None:
    tat = NOW + bucket.depth - behind
    fitting = bucket.fitting(tat, NOW)

    taken = max(tat, NOW) + bucket.time_of(fitting)
    one_more = max(tat, NOW) + bucket.time_of(fitting + 1)
    assert taken <= NOW + bucket.depth
    assert NOW + bucket.depth < one_more or fitting == bucket.burst
    assert bucket.fitting(tat, max(NOW, bucket.free_at(tat, min(tokens, bucket.burst)))) >= min(
        tokens, bucket.burst
    )


@given(BUCKETS, st.lists(st.integers(1, 1_000), max_size=50))
def test_rounding_never_makes_a_token(bucket: Bucket, leases: list[int]) -> None:
    cost = sum(map(bucket.time_of, leases))

    assert cost * bucket.rate >= sum(leases) * SECOND_NS


@given(BUCKETS)
def test_rounding_never_loses_a_token_of_a_thousand(bucket: Bucket) -> None:
    tat, tokens = NOW, min(bucket.burst, 1_000)
    for _ in range(tokens):
        assert bucket.fitting(tat, NOW) >= 1
        tat += bucket.time_of(1)

    assert bucket.fitting(tat, NOW) >= bucket.burst - tokens


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 5)])
def test_a_bucket_that_nothing_ever_leaves_is_a_defect(rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Bucket(rate, burst)


def test_instants_and_seconds_are_exact() -> None:
    assert epoch_nanoseconds(NOON + timedelta(microseconds=1)) - NOW == 1_000
    assert [whole_seconds(n) for n in (0, 1, SECOND_NS, SECOND_NS + 1)] == [0, 1, 1, 2]
