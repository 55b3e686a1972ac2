"""Merchants' limits: what many environments grant, and what it costs."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riel.app import App
from riel.domain.rate_limit import ROUNDING_NS, SECOND_NS, Bucket, epoch_nanoseconds
from riel.errors import RateLimitedError, StoreUnavailableError
from riel.services.rate_limit import (
    LONGEST_LEASE_NS,
    MAX_SHARES,
    SHORTEST_LEASE_NS,
    SMALLEST_SHARE,
    Allowance,
    RateLimiter,
    check_rate,
    rate_limit_headers,
    refused,
)
from riel.store.limits import Leased, LimitStore, Refused
from riel.store.merchants import Caller, Limits, Merchant
from tests.builders import NOON, FakeClock, make_app

NOW = epoch_nanoseconds(NOON)
fresh_names = map("bucket-{}".format, itertools.count())


def caller(merchant_id: str = "demo", *, rate: int = 100, burst: int = 500) -> Caller:
    merchant = Merchant(merchant_id, "Demo", (), Limits(rate, burst), "00")
    return Caller(merchant, livemode=False)


def send(app: App, who: Caller, times: int = 1) -> Counter[str]:
    """Send requests at one instant; say how many passed, and with which Retry-After not."""
    found: Counter[str] = Counter()
    for _ in range(times):
        try:
            check_rate(app, who, is_write=True)
            found["passed"] += 1
        except RateLimitedError as error:
            found[f"again in {error.retry_after_seconds}"] += 1
    return found


def another(app: App, clock: FakeClock) -> App:
    """One more environment over the same tables."""
    environment = make_app(clock=clock)
    environment.__dict__["dynamodb"] = app.dynamodb
    return environment


def on_call(client: Any, do: Callable[[], None], operation: str = "UpdateItem") -> None:
    client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", lambda **_: do())


@pytest.fixture
def calls(app: App) -> list[None]:
    """Grows by one with each write to the table."""
    made: list[None] = []
    on_call(app.dynamodb, lambda: made.append(None))
    return made


@pytest.fixture
def store(app: App) -> LimitStore:
    return app.limits


def test_fc_28_ten_times_the_burst_is_refused_with_a_time_and_others_go_on(app: App) -> None:
    flood = send(app, caller("loud"), 5_000)

    assert flood == {"passed": 500, "again in 1": 4_500}
    assert send(app, caller("quiet"), 100) == {"passed": 100}


def test_live_and_test_requests_have_buckets_of_their_own(app: App) -> None:
    playing = caller(burst=3, rate=1)
    live = Caller(playing.merchant, livemode=True)

    assert send(app, playing, 5)["passed"] == 3
    assert send(app, live, 5)["passed"] == 3


def test_who_waits_as_told_is_served(app: App, clock: FakeClock) -> None:
    slow = caller(rate=1, burst=4)
    send(app, slow, 4)
    with pytest.raises(RateLimitedError) as told:
        check_rate(app, slow, is_write=True)

    clock.advance(told.value.retry_after_seconds)

    assert send(app, slow, 2) == {"passed": 1, "again in 1": 1}


def test_a_refusal_is_exact_although_other_environments_spent_the_bucket(
    app: App, clock: FakeClock
) -> None:
    other = another(app, clock)
    who = caller(rate=1, burst=30)
    assert send(other, who, 40)["passed"] == 30

    clock.advance(0.3)

    assert send(app, who) == {"again in 1": 1}, "0.7 s, rounded up"


def test_fc_29_while_the_store_throttles_writes_fail_closed_and_reads_open(
    app: App, calls: list[None]
) -> None:
    def throttled() -> None:
        answer: Any = {"Error": {"Code": "ThrottlingException", "Message": ""}}
        raise ClientError(answer, "UpdateItem")

    on_call(app.dynamodb, throttled)

    with pytest.raises(StoreUnavailableError) as refusal:
        check_rate(app, caller(), is_write=True)
    reads = [check_rate(app, caller(), is_write=False) for _ in range(50)]

    assert (refusal.value.status, refusal.value.retry_after_seconds) == (503, 1)
    assert reads == [None] * 50
    assert rate_limit_headers(None) == {}
    assert len(calls) == 1, "for two seconds nobody waits again for a store that failed"


def test_reads_ask_again_when_the_store_may_have_come_back(
    app: App, clock: FakeClock, calls: list[None]
) -> None:
    trouble = [StoreUnavailableError("x")]

    def fail_once() -> None:
        if trouble:
            raise trouble.pop()

    on_call(app.dynamodb, fail_once)
    first = check_rate(app, caller(), is_write=False)
    clock.advance(2)
    second = check_rate(app, caller(), is_write=False)

    assert first is None
    assert second is not None
    assert len(calls) == 2


def test_a_steady_merchant_costs_a_few_writes_for_a_thousand_requests(
    app: App, clock: FakeClock, calls: list[None]
) -> None:
    """100 a second on one environment: a lease lasts 1.25 seconds when it has grown."""
    for _ in range(1_000):
        assert send(app, caller()) == {"passed": 1}
        clock.advance(0.01)
    growing = len(calls)
    for _ in range(1_000):
        assert send(app, caller()) == {"passed": 1}
        clock.advance(0.01)

    assert growing <= 16
    assert len(calls) - growing == 8


def test_one_request_now_and_then_costs_a_write_for_each_tenth_of_them(
    app: App, clock: FakeClock, calls: list[None]
) -> None:
    for _ in range(100):
        send(app, caller())
        clock.advance(5)

    assert len(calls) == 1 + 10, "one for the first, then one for each ten"


def test_a_warm_lease_costs_no_call_at_all(app: App, calls: list[None]) -> None:
    send(app, caller(), 4)
    calls.clear()

    send(app, caller(), 3)

    assert calls == []


def test_a_flood_costs_no_call_after_its_first_refusal(app: App, calls: list[None]) -> None:
    send(app, caller(), 501)
    calls.clear()

    send(app, caller(), 2_000)

    assert calls == []


def test_an_environment_under_a_lasting_flood_asks_twice_a_second_at_most(
    app: App, clock: FakeClock, calls: list[None]
) -> None:
    """Ten times the rate for ten seconds: the rate passes, and hardly anything is asked."""
    send(app, caller(), 1_000)
    calls.clear()
    passed = 0
    for _ in range(100):
        clock.advance(0.1)
        passed += send(app, caller(), 100)["passed"]

    assert 900 <= passed <= 1_000
    assert len(calls) <= 20


def test_idle_environments_do_not_starve_a_small_merchant(app: App, clock: FakeClock) -> None:
    """Ten requests a second over fifty environments, each of which sees one every five seconds."""
    environments = [another(app, clock) for _ in range(50)]
    small = caller(rate=10, burst=20)

    for n in range(300):
        assert send(environments[n % 50], small) == {"passed": 1}, n
        clock.advance(0.1)


def test_a_burst_on_new_environments_finds_at_least_half_of_the_bucket(
    app: App, clock: FakeClock
) -> None:
    for requests_each, environments in ((1, 20), (3, 20), (8, 20), (1, 100), (2, 50)):
        who = caller(f"m{requests_each}-{environments}", rate=20, burst=100)
        new = [another(app, clock) for _ in range(environments)]
        passed = sum(send(each, who, requests_each)["passed"] for each in new)
        assert passed >= min(50, environments * requests_each), (requests_each, environments)
        if requests_each == 1:
            assert passed == environments, "as many environments as tokens: each has one"


def test_a_lease_that_expires_unspent_halves_the_next(app: App, clock: FakeClock) -> None:
    who = caller()
    send(app, who, 1 + 2 + 4 + 8 + 16 + 32 + 1)
    (share,) = app.rate_limiter._shares.values()
    assert (share.size, share.left) == (64, 63)

    sizes = []
    for _ in range(6):
        clock.advance(10)
        send(app, who)
        sizes.append(share.size)

    assert sizes == [32, 16, 10, 10, 10, 10]


def test_new_limits_hold_at_once_and_old_debts_do_not_outlive_them(app: App) -> None:
    send(app, caller(rate=1, burst=1_000), 1_000)

    raised = caller(rate=10, burst=20)

    assert send(app, raised, 30)["passed"] == 20, "not locked out for the old 1,000 seconds"


def test_fc_73_a_clock_that_was_set_back_makes_no_refusal_and_no_lease_last_longer(
    app: App, clock: FakeClock
) -> None:
    who = caller(rate=1, burst=8)
    send(app, who, 20)

    clock.advance(-600)

    assert send(app, who, 20)["passed"] == 8


def test_fc_73_a_clock_that_is_ahead_locks_nobody_out(app: App, clock: FakeClock) -> None:
    who = caller(rate=1, burst=8)
    ahead = FakeClock(NOON + timedelta(minutes=10))
    send(another(app, ahead), who, 8)

    assert send(app, who, 20)["passed"] == 8


def test_the_memory_is_bounded(app: App) -> None:
    granting = FakeStore(lambda now: Leased(1, now))
    limiter = RateLimiter(granting)  # type: ignore[arg-type]

    for n in range(2 * MAX_SHARES):
        limiter.spend(f"bucket#{n}", Bucket(1, 1), NOW)

    assert len(limiter) == MAX_SHARES


class FakeStore:
    """Answers every lease alike."""

    def __init__(self, answer: Callable[[int], Leased | Refused]) -> None:
        self.answer = answer

    def lease(self, pk: str, bucket: Bucket, tokens: int, now: int, tat: int) -> Leased | Refused:
        return self.answer(now)


def test_the_headers_are_those_of_draft_11(app: App) -> None:
    first = check_rate(app, caller(), is_write=True)
    send(app, caller(), 499)
    with pytest.raises(RateLimitedError) as told:
        check_rate(app, caller(), is_write=True)
    last = refused(caller(), told.value)

    assert first == Allowance(500, 5, remaining=499, reset_seconds=1)
    assert rate_limit_headers(first) == {
        "RateLimit-Policy": '"default";q=500;w=5',
        "RateLimit": '"default";r=499;t=1',
    }
    assert rate_limit_headers(last)["RateLimit"] == '"default";r=0;t=1'
    assert told.value.retry_after_seconds >= last.reset_seconds, "the draft's rule"


@given(st.integers(1, 5_000), st.integers(1, 20_000), st.integers(0, 10**7), st.integers(0, 10**13))
def test_what_is_left_is_never_negative_nor_above_the_limit(
    rate: int, burst: int, left: int, ahead: int
) -> None:
    bucket = Bucket(rate, burst)
    granting = FakeStore(lambda now: Leased(1 + left, now + ahead))
    limiter = RateLimiter(granting)  # type: ignore[arg-type]

    allowance = limiter.spend("b", bucket, NOW)

    assert 0 <= allowance.remaining <= allowance.limit == burst
    assert 0 <= allowance.reset_seconds <= allowance.window_seconds
    for value in rate_limit_headers(allowance).values():
        assert re.fullmatch(r'"default";(q=\d+;w=[1-9]\d*|r=\d+;t=\d+)', value)


PAUSES = (0, 0, 1_000, 99_000, 1_000_000, 4_000_000)
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(PAUSES), st.integers(1, 40)), max_size=25
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 300), st.integers(1, 80), STEPS)
def test_however_environments_take_turns_no_more_passes_than_the_bucket_allows(
    store: LimitStore, rate: int, burst: int, steps: list[tuple[int, int, int]]
) -> None:
    """Steps are (environment, microseconds since the last step, requests at that instant)."""
    bucket, pk = Bucket(rate, burst), next(fresh_names)
    environments = [RateLimiter(store) for _ in range(4)]
    life = min(max(bucket.window, SHORTEST_LEASE_NS), LONGEST_LEASE_NS)
    now, passed = NOW, []
    for environment, microseconds, requests in steps:
        now += microseconds * 1_000
        for _ in range(requests):
            try:
                environments[environment].spend(pk, bucket, now)
            except RateLimitedError as error:
                assert error.retry_after_seconds >= 1
                break
            passed.append(now)

    if passed:
        assert_within(bucket, len(passed), now - passed[0])
    for n, start in enumerate(passed):
        # From any later moment on, what was leased before it may be spent on top.
        small = len(environments) * max(1, burst // SMALLEST_SHARE)
        assert_within(bucket, len(passed) - n - small, now - start + life)


def assert_within(bucket: Bucket, passed: int, nanoseconds: int) -> None:
    """Never above `burst + rate * seconds`, with instants rounded to a microsecond."""
    allowed = bucket.burst * SECOND_NS + bucket.rate * (nanoseconds + ROUNDING_NS + 1)
    assert passed * SECOND_NS <= allowed


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 2_000), st.integers(1, 2_000))
def test_a_steady_sender_at_its_rate_is_never_refused(
    store: LimitStore, rate: int, burst: int
) -> None:
    bucket, pk, limiter = Bucket(rate, burst), next(fresh_names), RateLimiter(store)
    microseconds = -(-1_000_000 // rate)

    for n in range(100):
        limiter.spend(pk, bucket, NOW + n * microseconds * 1_000)
