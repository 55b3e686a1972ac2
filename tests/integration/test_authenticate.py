"""Whose API key it is: who gets in, for how long, and what a flood costs."""

from __future__ import annotations

import pytest

from riel.app import App
from riel.errors import UnauthorizedError
from riel.services.authenticate import authenticate
from riel.services.merchants import NewMerchant, create_merchant, revoke_key, rotate_key
from riel.store.merchants import CACHE_ENTRIES, CACHE_SECONDS, UNKNOWN_ENTRIES, UNKNOWN_SECONDS
from tests.builders import API_KEY, NOON, FakeClock, make_app
from tests.merchants import LIMITS, Meddler, is_refused, seed


@pytest.fixture
def dynamodb(app: App) -> Meddler:
    meddler = Meddler(app.dynamodb)
    app.__dict__["dynamodb"] = meddler
    return meddler


@pytest.fixture
def shop(app: App) -> NewMerchant:
    return create_merchant(app, "Shop", False, LIMITS)


def test_a_new_merchants_key_says_who_calls(app: App, shop: NewMerchant) -> None:
    caller = authenticate(app, shop.api_key)

    assert caller.merchant == shop.record.merchant
    assert caller.livemode is False
    assert caller.merchant.limits == LIMITS
    assert app.webhook_secrets.of(caller.merchant) == (shop.webhook_secret,)


def test_warm_a_request_reads_nothing(app: App, dynamodb: Meddler, clock: FakeClock) -> None:
    authenticate(app, API_KEY)
    cold = dynamodb.reads.total()
    clock.advance(CACHE_SECONDS - 0.001)
    for _ in range(100):
        authenticate(app, API_KEY)
    warm = dynamodb.reads.total()
    clock.advance(0.001)
    authenticate(app, API_KEY)

    assert (cold, warm, dynamodb.reads.total()) == (2, 2, 4)


@pytest.mark.parametrize("api_key", [None, "", "  "])
def test_a_missing_key_is_told_how_to_send_one(app: App, api_key: str | None) -> None:
    with pytest.raises(UnauthorizedError, match="send your API key in the X-API-Key header"):
        authenticate(app, api_key)


@pytest.mark.parametrize("api_key", ["sk_test_unknown", "x" * 256, "señal", "\udc80", "a\x00b"])
def test_unknown_malformed_and_revoked_keys_are_not_told_apart(
    app: App, shop: NewMerchant, api_key: str
) -> None:
    revoke_key(app, shop.record.merchant.merchant_id, shop.record.api_keys[0].key_id)

    with pytest.raises(UnauthorizedError) as revoked:
        authenticate(app, shop.api_key)
    with pytest.raises(UnauthorizedError) as other:
        authenticate(app, api_key)

    assert str(other.value) == str(revoked.value)


def test_fc_27_two_live_keys_overlap_and_the_revoked_one_ends_within_the_caches_time(
    app: App, clock: FakeClock
) -> None:
    old = create_merchant(app, "Shop", True, LIMITS)
    merchant_id = old.record.merchant.merchant_id
    new = rotate_key(app, merchant_id, True)
    assert authenticate(app, old.api_key) == authenticate(app, new.api_key)
    assert [key.key_id for key in new.others] == [old.record.api_keys[0].key_id]

    revoke_key(app, merchant_id, new.others[0].key_id)

    stranger = make_app(clock=clock)
    assert is_refused(stranger, old.api_key), (
        "an environment that has not cached it refuses at once"
    )
    clock.advance(CACHE_SECONDS)
    assert is_refused(app, old.api_key)
    assert authenticate(app, new.api_key).livemode is True
    clock.advance(400 * 86_400)
    assert is_refused(app, old.api_key), "for ever"


def test_fc_28_a_flood_of_unknown_keys_pushes_out_no_merchant(
    app: App, dynamodb: Meddler, shop: NewMerchant
) -> None:
    known = (API_KEY, shop.api_key)
    for api_key in known:
        authenticate(app, api_key)
    dynamodb.reads.clear()
    dynamodb.is_empty = True

    for n in range(5_000):
        assert is_refused(app, f"sk_test_{n:032d}")
    flood = dynamodb.reads.total()
    for api_key in known:
        authenticate(app, api_key)

    assert flood == 5_000
    assert dynamodb.reads.total() == flood, "the merchants were still known"
    assert len(app.merchants._unknown) == UNKNOWN_ENTRIES


def test_fc_28_one_bad_key_repeated_costs_one_read(app: App, dynamodb: Meddler) -> None:
    for _ in range(100):
        assert is_refused(app, "sk_live_guess")

    assert dynamodb.reads.total() == 1


def test_a_key_that_was_tried_before_it_was_created_works_soon(app: App, clock: FakeClock) -> None:
    assert is_refused(app, "sk_test_early")
    seed(app, "early", "sk_test_early")
    assert is_refused(app, "sk_test_early")

    clock.advance(UNKNOWN_SECONDS)

    assert authenticate(app, "sk_test_early").merchant_id == "early"


def test_known_merchants_are_bounded_too(app: App) -> None:
    template = app.merchants.get("demo")
    assert template

    for n in range(CACHE_ENTRIES + 10):
        app.merchants._merchants.put(str(n), template, NOON)

    assert len(app.merchants._merchants) == CACHE_ENTRIES
