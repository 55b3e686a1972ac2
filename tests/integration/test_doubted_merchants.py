"""When all hosts of a merchant have to prove themselves anew, on a fake clock."""

from __future__ import annotations

from datetime import timedelta

from riel.app import App
from riel.domain.instants import epoch_milliseconds
from riel.services.host_breakers import (
    KNOWN_SECONDS,
    LEASES,
    MERCHANT_SLOW_ATTEMPTS,
    HostBreakers,
)
from riel.store.hosts import NEW
from riel.webhooks.sending import DEADLINE_SECONDS
from tests.breakers import (
    HOSTS,
    PROMPT,
    are_proven,
    doubts,
    goes,
    hang,
    merchant_doubts,
    prove,
    try_once,
)
from tests.builders import FakeClock

NEW_LEASE = LEASES[NEW].total_seconds()


def test_hosts_that_prove_themselves_and_hang_are_doubted_together_by_all_environments(
    breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    hosts = [f"{n}.example.com:443" for n in range(200)]
    prove(breakers, hosts, clock)
    assert all(are_proven(others, hosts))

    for number, host in enumerate(hosts[:MERCHANT_SLOW_ATTEMPTS]):
        assert merchant_doubts() == 0, number
        hang(breakers, host)

    assert merchant_doubts() == 1
    assert not any(are_proven(breakers, hosts))
    clock.advance(KNOWN_SECONDS)
    assert not any(are_proven(others, hosts))


def test_after_the_doubt_about_its_merchant_a_host_proves_itself_by_one_prompt_attempt(
    breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    prove(breakers, HOSTS, clock)
    before = goes(breakers, HOSTS[-1])
    for host in HOSTS[:MERCHANT_SLOW_ATTEMPTS]:
        hang(breakers, host)
    clock.advance(1)

    breakers.note(before, PROMPT, answered=True)
    assert not any(are_proven(others, HOSTS[-1:]))
    clock.advance(NEW_LEASE)
    prove(breakers, HOSTS[-5:], clock)

    clock.advance(KNOWN_SECONDS)
    for one in (breakers, others):
        assert all(are_proven(one, HOSTS[-5:]))
        assert not any(are_proven(one, HOSTS[:-5]))


def test_a_merchant_with_one_host_that_begins_to_hang_keeps_its_nine_good_ones(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    bad, *good = HOSTS[:10]
    prove(breakers, [bad, *good], clock)

    for _ in range(30):
        admission = breakers.admit("demo", bad)
        for host in good:
            try_once(breakers, host=host)
        clock.advance(DEADLINE_SECONDS)
        if admission.wait_seconds == 0:
            breakers.note(admission, DEADLINE_SECONDS, answered=False)

    assert all(are_proven(breakers, good))
    assert not any(are_proven(breakers, [bad]))
    assert (doubts(), merchant_doubts()) == (1, 0)


def test_three_hosts_that_begin_to_hang_at_once_are_doubted_each_by_itself(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    prove(breakers, HOSTS, clock)
    together = [goes(breakers, host) for host in HOSTS[:3] for _ in range(10)]

    for admission in together:
        breakers.note(admission, DEADLINE_SECONDS, answered=False)

    assert (doubts(), merchant_doubts()) == (3, 0)


def test_one_host_that_answers_does_not_cover_for_nine_that_hang(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    prove(breakers, HOSTS, clock)

    for good, bad in zip(HOSTS[:2], (HOSTS[2:8], HOSTS[8:14]), strict=True):
        try_once(breakers, host=good)
        for host in bad:
            hang(breakers, host)

    assert merchant_doubts() == 1


def test_slow_tries_of_hosts_that_are_not_proven_say_nothing_about_their_merchant(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    prove(breakers, HOSTS[:1], clock)

    for host in HOSTS[1:]:
        hang(breakers, host)

    assert merchant_doubts() == 0
    assert all(are_proven(breakers, HOSTS[:1]))


def test_a_doubt_about_another_merchant_or_from_a_wrong_clock_counts_for_nothing(
    app: App, breakers: HostBreakers, clock: FakeClock
) -> None:
    app.hosts.doubt("another", epoch_milliseconds(clock() + timedelta(seconds=5)))
    app.hosts.doubt("demo", epoch_milliseconds(clock() + timedelta(hours=3)))

    prove(breakers, HOSTS[:1], clock)
    clock.advance(2 * KNOWN_SECONDS)

    assert all(are_proven(breakers, HOSTS[:1]))
