"""Which hosts may be called now, by several environments over one table, on a fake clock."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.names import Names
from riel.app import App
from riel.domain.instants import from_epoch_milliseconds
from riel.services.host_breakers import (
    FREE_MISSES,
    IN_A_ROW_SECONDS,
    KNOWN_SECONDS,
    LEASES,
    PROVEN_FOR,
    SHORTEST_REST,
    SLOW_ATTEMPTS,
    UNPROVEN_KNOWN_SECONDS,
    Admission,
    HostBreakers,
)
from riel.store.hosts import NEW
from riel.store.hosts import SLOW as SLOW_TURN
from tests.breakers import (
    HOST,
    HOSTS,
    PROMPT,
    SLOW,
    doubts,
    goes,
    hang,
    hang_until_it_rests,
    try_once,
    waits,
)
from tests.builders import NOON, FakeClock, make_app

NEW_LEASE = LEASES[NEW].total_seconds()


def rest_of(app: App, clock: FakeClock) -> float:
    rests_until_ms = app.hosts.get("demo", HOST).rests_until_ms
    return (from_epoch_milliseconds(rests_until_ms) - clock()).total_seconds()


def test_a_new_host_is_tried_by_one_attempt_until_that_was_prompt(breakers: HostBreakers) -> None:
    first = goes(breakers)
    assert waits(breakers) == 1

    breakers.note(first, PROMPT, answered=True)

    assert [goes(breakers).probe_until_ms for _ in range(200)] == [0] * 200


def test_a_refusal_that_comes_at_once_holds_up_nobody_and_proves_as_well(
    breakers: HostBreakers,
) -> None:
    try_once(breakers, answered=False)

    assert [goes(breakers).probe_until_ms for _ in range(10)] == [0] * 10


def test_what_one_environment_learns_of_a_new_host_all_others_know_a_second_later(
    breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    first = goes(breakers)
    waits(others)
    breakers.note(first, PROMPT, answered=True)

    clock.advance(UNPROVEN_KNOWN_SECONDS)

    assert goes(others).probe_until_ms == 0


def test_all_environments_together_try_one_of_a_merchants_new_hosts_at_a_time(app: App) -> None:
    environments = [HostBreakers(app) for _ in range(5)]

    asked = [one.admit("demo", host) for host in HOSTS for one in environments]

    assert sum(_goes(admission) for admission in asked) == 1
    goes(environments[0], merchant="another")


def test_however_environments_race_one_attempt_alone_tries(
    engine_aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the engine: the model has no real races."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    app, merchant = make_app(limits_table=Names("local").table("limits")), uuid.uuid4().hex
    _ = app.hosts
    environments = [HostBreakers(app) for _ in range(8)]

    with ThreadPoolExecutor(len(environments)) as threads:
        asked = threads.map(lambda one: [one.admit(merchant, host) for host in HOSTS], environments)
        tried = [admission for answers in asked for admission in answers if _goes(admission)]

    assert len(tried) == 1
    assert tried[0].probe_until_ms > 0


def test_a_prober_that_was_killed_is_followed_by_another_and_its_late_end_frees_nobody(
    breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    killed = goes(breakers)
    clock.advance(NEW_LEASE - 1)
    waits(others)
    clock.advance(1)
    goes(others)

    breakers.note(replace(killed, authority=HOSTS[0]), SLOW, answered=True)

    waits(breakers)
    waits(breakers, HOSTS[0])


def test_a_host_that_hangs_rests_longer_each_time_up_to_a_minute(
    app: App, breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    for _ in range(FREE_MISSES - 1):
        hang(breakers)
    rests = []
    for _ in range(14):
        hang(breakers)
        rests.append(rest_of(app, clock))
        # Each webhook that waits comes back at another moment.
        assert all(rests[-1] <= waits(one) <= 2 * rests[-1] for one in (breakers, others))
        assert waits(breakers) != waits(others)
        clock.advance(rests[-1])

    assert rests == [5, 10, 20, 40] + [60] * 10


def test_behind_a_try_that_takes_long_nobody_asks_all_the_time(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    hang(breakers)
    goes(breakers)
    assert waits(breakers) == 1

    clock.advance(3)
    seconds = [waits(breakers) for _ in range(200)]

    assert 1 <= min(seconds) < max(seconds) <= LEASES[SLOW_TURN].total_seconds() - 3
    assert len(set(seconds)) > 100


def test_while_a_host_rests_another_one_of_its_merchant_is_tried(breakers: HostBreakers) -> None:
    hang_until_it_rests(breakers)

    waits(breakers)
    try_once(breakers, host=HOSTS[0])


def test_a_host_that_answers_slowly_but_well_is_called_alone_for_half_of_the_time(
    app: App, breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    for _ in range(5):
        slow = goes(breakers)
        waits(others)
        clock.advance(SLOW)
        breakers.note(slow, SLOW, answered=True)

        assert rest_of(app, clock) == SLOW
        assert SLOW <= waits(breakers) <= 2 * SLOW
        clock.advance(SLOW)


def test_a_host_that_hangs_keeps_no_new_host_of_its_merchant_for_longer_than_a_prompt_answer(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    goes(breakers)

    for host in HOSTS:
        waits(breakers, host)
        clock.advance(NEW_LEASE)
        goes(breakers, host)


@pytest.mark.parametrize("answered", [True, False])
def test_three_slow_attempts_in_a_row_take_the_proof_back_for_all_environments(
    breakers: HostBreakers, others: HostBreakers, clock: FakeClock, answered: bool
) -> None:
    try_once(breakers)
    goes(others)
    together = [goes(breakers) for _ in range(10)]
    for admission in together[: SLOW_ATTEMPTS - 1]:
        breakers.note(admission, SLOW, answered=answered)
    assert goes(breakers).probe_until_ms == 0

    for admission in together[SLOW_ATTEMPTS - 1 :]:
        breakers.note(admission, SLOW, answered=answered)
    clock.advance(KNOWN_SECONDS)

    assert doubts() == 1
    assert goes(others).probe_until_ms > 0
    waits(breakers)


def test_a_prompt_attempt_between_slow_ones_ends_their_row(breakers: HostBreakers) -> None:
    try_once(breakers)

    for seconds in (SLOW, SLOW, PROMPT) * 3:
        try_once(breakers, seconds)

    assert doubts() == 0


def test_slow_attempts_that_are_far_apart_are_not_in_a_row(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    try_once(breakers)

    for _ in range(9):
        try_once(breakers, SLOW)
        clock.advance(IN_A_ROW_SECONDS)

    assert doubts() == 0


def test_a_host_is_doubted_again_after_another_environment_has_proven_it_again(
    app: App, breakers: HostBreakers, others: HostBreakers, clock: FakeClock
) -> None:
    for number in range(1, FREE_MISSES + 2):
        clock.advance(IN_A_ROW_SECONDS)
        try_once(others)
        for _ in range(SLOW_ATTEMPTS):
            hang(breakers)
        assert doubts() == number

    # It was prompt in between, and yet rests as long as one that never was.
    assert rest_of(app, clock) == 10


def test_what_began_before_the_doubt_neither_proves_the_host_nor_ends_a_probe(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    try_once(breakers)
    before = goes(breakers)
    for _ in range(SLOW_ATTEMPTS):
        hang(breakers)
    clock.advance(SHORTEST_REST.total_seconds())
    assert goes(breakers).probe_until_ms > 0

    breakers.note(before, PROMPT, answered=True)

    waits(breakers)


def test_a_proof_is_renewed_by_use_and_forgets_the_misses_then(
    app: App, breakers: HostBreakers, clock: FakeClock
) -> None:
    hang_until_it_rests(breakers)
    clock.advance(SHORTEST_REST.total_seconds())
    for _ in range(6):
        try_once(breakers)
        clock.advance(PROVEN_FOR.total_seconds() / 2 + 1)
        assert goes(breakers).probe_until_ms == 0
    try_once(breakers)

    for _ in range(SLOW_ATTEMPTS):
        hang(breakers)

    assert app.hosts.get("demo", HOST).misses == 1


def test_a_proof_that_nobody_uses_ends_after_a_day(
    breakers: HostBreakers, clock: FakeClock
) -> None:
    try_once(breakers)
    clock.advance(PROVEN_FOR.total_seconds())

    assert goes(breakers).probe_until_ms > 0


def test_fc_73_an_environment_whose_clock_is_wrong_locks_nobody_out(
    app: App, breakers: HostBreakers
) -> None:
    ahead = HostBreakers(_with_clock(app, FakeClock(NOON + timedelta(hours=3))))
    goes(ahead)
    goes(breakers)
    hang(HostBreakers(_with_clock(app, FakeClock(NOON + timedelta(hours=3)))), HOSTS[0])

    assert breakers.admit("demo", HOSTS[0]).wait_seconds <= 1


def test_items_expire_a_day_after_what_they_say(app: App, breakers: HostBreakers) -> None:
    try_once(breakers)

    items = app.dynamodb.scan(TableName="limits")["Items"]
    expiries = {item["pk"]["S"]: int(item["expires_at"]["N"]) for item in items}
    day, noon = 86_400, int(NOON.timestamp())
    assert expiries == {
        f"host#demo#{HOST}": noon + 2 * day,
        "probe#demo#new": noon + int(NEW_LEASE) + day,
    }


def _goes(admission: Admission) -> bool:
    return admission.wait_seconds == 0


def _with_clock(app: App, clock: FakeClock) -> Any:
    other = make_app(clock=clock)
    other.config = app.config
    return other
