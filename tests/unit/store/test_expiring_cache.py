"""The bounded memory: by age, by number, and what is used stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from riel.store.expiring_cache import ExpiringCache
from tests.builders import NOON


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_a_value_is_remembered_for_its_time_and_no_longer() -> None:
    cache: ExpiringCache[str] = ExpiringCache(10, 30)
    cache.put("a", "value", NOON)

    assert cache.get("a", NOON + after(29.999)) == "value"
    assert cache.get("a", NOON + after(30)) is None
    assert len(cache) == 0, "what is too old is let go when it is asked for"


def test_looking_does_not_make_it_younger() -> None:
    cache: ExpiringCache[str] = ExpiringCache(10, 30)
    cache.put("a", "value", NOON)

    for second in range(30):
        assert cache.get("a", NOON + after(second)) == "value"
    assert cache.get("a", NOON + after(30)) is None


def test_the_least_recently_used_goes_first() -> None:
    cache: ExpiringCache[str] = ExpiringCache(3, 30)
    for name in "abc":
        cache.put(name, name, NOON)

    cache.get("a", NOON)
    cache.put("d", "d", NOON)

    assert [cache.get(name, NOON) for name in "abcd"] == ["a", None, "c", "d"]


def test_what_is_put_again_is_young_again_and_counts_once() -> None:
    cache: ExpiringCache[str] = ExpiringCache(2, 30)
    for seconds in range(5):
        cache.put("a", str(seconds), NOON + after(seconds))

    assert len(cache) == 1
    assert cache.get("a", NOON + after(33)) == "4"


def test_threads_never_break_its_bound() -> None:
    cache: ExpiringCache[int] = ExpiringCache(5, 30)

    def use(start: int) -> None:
        for n in range(2_000):
            cache.put(str((start + n) % 20), n, NOON + after(n % 40))
            cache.get(str(n % 20), NOON + after(n % 60))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))  # raises what a thread raised

    assert len(cache) <= 5
