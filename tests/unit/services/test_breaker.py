"""When a breaker opens, whom it lets probe, and when it closes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from riel.services.breaker import Breaker, Breakers
from tests.builders import FakeClock

COOL_DOWN = timedelta(seconds=10)


def opened(clock: FakeClock, failures: int = 3) -> Breaker:
    breaker = Breaker(failures, COOL_DOWN)
    for _ in range(failures):
        breaker.failed(clock())
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_says_so_once(clock: FakeClock) -> None:
    breaker = Breaker(3, COOL_DOWN)

    told = [breaker.failed(clock()) for _ in range(4)]

    assert told == [False, False, True, False]
    assert breaker.admit(clock()) == 10


def test_a_success_between_failures_keeps_it_closed(clock: FakeClock) -> None:
    breaker = Breaker(2, COOL_DOWN)

    for _ in range(5):
        breaker.failed(clock())
        breaker.succeeded()

    assert breaker.admit(clock()) == 0


def test_after_the_cool_down_exactly_one_of_many_probes(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(10)

    with ThreadPoolExecutor(8) as threads:
        seconds = list(threads.map(lambda _: breaker.admit(clock()), range(64)))

    assert sorted(seconds) == [0.0] + [10.0] * 63


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_keeps_it_open(
    clock: FakeClock,
) -> None:
    breaker = opened(clock)
    clock.advance(10)
    assert breaker.admit(clock()) == 0
    clock.advance(4)
    assert breaker.failed(clock()) is False
    assert breaker.seconds_shut(clock()) == 10

    clock.advance(10)
    assert breaker.admit(clock()) == 0
    breaker.succeeded()

    assert [breaker.admit(clock()) for _ in range(3)] == [0, 0, 0]


def test_a_probe_that_never_ends_is_followed_by_another(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(10)
    assert breaker.admit(clock()) == 0
    assert breaker.admit(clock()) == 10

    clock.advance(10)

    assert breaker.admit(clock()) == 0


def test_to_ask_how_long_it_is_shut_takes_nobodys_probe(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(10)

    assert [breaker.seconds_shut(clock()) for _ in range(3)] == [0, 0, 0]
    assert breaker.admit(clock()) == 0


def test_fc_45_gateways_do_not_share_a_breaker(clock: FakeClock) -> None:
    breakers = Breakers(1, COOL_DOWN)

    breakers.of("simulator").failed(clock())

    assert breakers.of("simulator").seconds_shut(clock()) == 10
    assert breakers.of("standby").seconds_shut(clock()) == 0
