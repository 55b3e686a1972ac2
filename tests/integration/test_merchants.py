"""Merchants and API keys: what is stored, and two operators at once."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.errors import (
    InvalidRequestError,
    InvalidStateError,
    NotFoundError,
    StoreUnavailableError,
)
from riel.services.authenticate import authenticate
from riel.services.merchants import (
    KEPT_REVOKED_KEYS,
    MAX_BURST,
    MAX_RATE,
    NewMerchant,
    create_merchant,
    list_merchants,
    listing_shards,
    revoke_key,
    rotate_key,
    set_limits,
)
from riel.store.dynamodb import ConditionFailedError
from riel.store.merchants import CACHE_SECONDS, Limits
from riel.webhooks import signing
from tests.builders import API_KEY, NOON, FakeClock, seed_demo
from tests.merchants import LIMITS, Meddler, is_refused, record_of, seed


@pytest.fixture
def dynamodb(app: App) -> Meddler:
    meddler = Meddler(app.dynamodb)
    app.__dict__["dynamodb"] = meddler
    return meddler


@pytest.fixture
def shop(app: App) -> NewMerchant:
    return create_merchant(app, "Shop", False, LIMITS)


def test_ids_keys_and_secrets_have_their_forms(app: App) -> None:
    made = [create_merchant(app, " Café ☕ ", livemode, LIMITS) for livemode in (False, True)]

    for new, prefix in zip(made, ("sk_test_", "sk_live_"), strict=True):
        (key,) = new.record.api_keys
        assert new.record.merchant.name == "Café ☕"
        assert ids.looks_like("mer", new.record.merchant.merchant_id)
        assert ids.looks_like("key", key.key_id)
        assert new.api_key.startswith(prefix)
        assert len(base64.urlsafe_b64decode(new.api_key.removeprefix(prefix))) == 24
        assert key.last4 == new.api_key[-4:]
        assert authenticate(app, new.api_key).livemode is (prefix == "sk_live_")
        secret = new.webhook_secret.removeprefix("whsec_")
        assert len(base64.b64decode(secret, validate=True)) == 32
        assert signing.sign(new.webhook_secret, "evt_1", 0, b"{}").startswith("v1,")
        assert len(bytes.fromhex(new.record.merchant.cursor_secret)) == 32
    different = [
        (
            n.api_key,
            n.webhook_secret,
            n.record.merchant.merchant_id,
            n.record.merchant.cursor_secret,
        )
        for n in made
    ]
    assert all(mine != theirs for mine, theirs in zip(*different, strict=True))


def test_a_key_is_stored_as_its_hash_only(app: App, aws: Any, shop: NewMerchant) -> None:
    second = rotate_key(app, shop.record.merchant.merchant_id, True)

    stored = json.dumps(aws.scan(TableName="merchants")["Items"])

    for key in (shop.api_key, second.api_key):
        assert key not in stored
        assert key[8:-4] not in stored
        assert ids.api_key_hash(key) in stored


def test_a_third_working_key_of_a_mode_is_refused_until_one_is_revoked(
    app: App, shop: NewMerchant
) -> None:
    merchant_id = shop.record.merchant.merchant_id
    first, second = shop.record.api_keys[0], rotate_key(app, merchant_id, False).key

    with pytest.raises(InvalidStateError, match=f"revoke {first.key_id} or {second.key_id} first"):
        rotate_key(app, merchant_id, False)
    live = rotate_key(app, merchant_id, True)
    assert live.others == (), "the other mode counts for itself"

    revoke_key(app, merchant_id, first.key_id)
    third = rotate_key(app, merchant_id, False)

    assert third.others == (second,)
    assert len(record_of(app, merchant_id).api_keys) == 4


def test_revoking_again_says_when_it_was_and_changes_nothing(
    app: App, clock: FakeClock, shop: NewMerchant
) -> None:
    merchant_id, (key,) = shop.record.merchant.merchant_id, shop.record.api_keys
    first = revoke_key(app, merchant_id, key.key_id)
    before = record_of(app, merchant_id)
    clock.advance(3600)

    again = revoke_key(app, merchant_id, key.key_id)

    assert (first.was_revoked, first.key.revoked_at) == (False, NOON)
    assert (again.was_revoked, again.key.revoked_at) == (True, NOON)
    assert record_of(app, merchant_id) == before


def test_only_a_merchants_own_key_can_be_revoked(app: App, shop: NewMerchant) -> None:
    with pytest.raises(NotFoundError, match="has no key"):
        revoke_key(app, "demo", shop.record.api_keys[0].key_id)
    for change in (
        lambda: revoke_key(app, "mer_none", "key_none"),
        lambda: rotate_key(app, "mer_none", False),
        lambda: set_limits(app, "mer_none", LIMITS),
    ):
        with pytest.raises(NotFoundError, match="there is no merchant mer_none"):
            change()

    assert authenticate(app, shop.api_key)


def test_two_operators_at_once_lose_no_key(app: App, dynamodb: Meddler, shop: NewMerchant) -> None:
    merchant_id = shop.record.merchant.merchant_id
    theirs: list[Any] = []
    dynamodb.others = [lambda: theirs.append(rotate_key(app, merchant_id, True))]

    mine = rotate_key(app, merchant_id, False)

    listed = {key.key_id for key in record_of(app, merchant_id).api_keys}
    assert {mine.key.key_id, theirs[0].key.key_id} <= listed
    for api_key in (shop.api_key, mine.api_key, theirs[0].api_key):
        assert authenticate(app, api_key).merchant_id == merchant_id


def test_of_two_operators_at_once_only_one_gets_the_second_key(
    app: App, dynamodb: Meddler, shop: NewMerchant
) -> None:
    merchant_id = shop.record.merchant.merchant_id
    dynamodb.others = [lambda: rotate_key(app, merchant_id, False)]

    with pytest.raises(InvalidStateError):
        rotate_key(app, merchant_id, False)

    assert len(record_of(app, merchant_id).api_keys) == 2


def test_a_revocation_survives_a_change_of_limits_at_the_same_time(
    app: App, dynamodb: Meddler, shop: NewMerchant
) -> None:
    merchant_id, (key,) = shop.record.merchant.merchant_id, shop.record.api_keys
    dynamodb.others = [lambda: revoke_key(app, merchant_id, key.key_id)]

    set_limits(app, merchant_id, Limits(7, 9))

    found = record_of(app, merchant_id)
    assert found.merchant.limits == Limits(7, 9)
    assert found.api_keys[0].revoked_at == NOON
    assert is_refused(app, shop.api_key)


def test_an_own_write_whose_answer_was_lost_is_not_done_twice(
    app: App, dynamodb: Meddler, shop: NewMerchant
) -> None:
    """The first write went through, and its repeat finds another version than it expects."""
    merchant_id = shop.record.merchant.merchant_id
    write = dynamodb.transact_write_items

    def twice(**parameters: Any) -> Any:
        write(**parameters)
        return write(**parameters)

    dynamodb.__dict__["transact_write_items"] = twice
    new = rotate_key(app, merchant_id, False)

    assert [key.key_id for key in new.others] == [shop.record.api_keys[0].key_id]
    assert len(record_of(app, merchant_id).api_keys) == 2
    assert authenticate(app, new.api_key)


def test_endless_contention_ends(app: App, dynamodb: Meddler, shop: NewMerchant) -> None:
    merchant_id = shop.record.merchant.merchant_id

    def other() -> None:
        waiting, dynamodb.others = dynamodb.others, []
        set_limits(app, merchant_id, Limits(len(waiting) + 1, 1))
        dynamodb.others = waiting

    dynamodb.others = [other] * 50

    with pytest.raises(StoreUnavailableError):
        rotate_key(app, merchant_id, False)
    assert len(dynamodb.others) > 40


def test_the_list_of_keys_has_an_end_and_a_forgotten_key_stays_revoked(
    app: App, clock: FakeClock, shop: NewMerchant
) -> None:
    merchant_id = shop.record.merchant.merchant_id
    present, keys = shop.record.api_keys[0].key_id, [shop.api_key]
    for _ in range(KEPT_REVOKED_KEYS + 5):
        clock.advance(60)
        new = rotate_key(app, merchant_id, False)
        revoke_key(app, merchant_id, present)
        present = new.key.key_id
        keys.append(new.api_key)

    listed = record_of(app, merchant_id).api_keys

    assert len(listed) == KEPT_REVOKED_KEYS + 1
    assert [key.last4 for key in listed] == [key[-4:] for key in keys[-len(listed) :]]
    assert [is_refused(app, key) for key in keys] == [True] * (len(keys) - 1) + [False]


def test_new_limits_hold_and_listing_shards_never_shrink(
    app: App, clock: FakeClock, shop: NewMerchant
) -> None:
    merchant_id = shop.record.merchant.merchant_id
    authenticate(app, shop.api_key)

    set_limits(app, merchant_id, Limits(10_000, 20_000))
    clock.advance(CACHE_SECONDS)
    grown = authenticate(app, shop.api_key).merchant
    set_limits(app, merchant_id, Limits(1, 1))
    clock.advance(CACHE_SECONDS)
    shrunk = authenticate(app, shop.api_key).merchant

    assert (grown.limits, grown.listing_shards) == (Limits(10_000, 20_000), 16)
    assert (shrunk.limits, shrunk.listing_shards) == (Limits(1, 1), 16)
    assert shrunk.cursor_secret == shop.record.merchant.cursor_secret


@pytest.mark.parametrize(
    ("rate", "before", "shards"),
    [
        (1, 1, 1), (625, 1, 1), (626, 1, 2), (2_000, 1, 4), (10_000, 1, 16), (MAX_RATE, 1, 64),
        (MAX_RATE + 1, 1, 64), (1, 16, 16), (10_000, 3, 16),
    ],
)  # fmt: skip
def test_a_shard_for_each_625_payments_a_second(rate: int, before: int, shards: int) -> None:
    assert listing_shards(rate, before) == shards


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x1b[31m", "\udc80", "a\u202eb"])
def test_a_name_that_can_not_be_shown_is_refused(app: App, aws: Any, name: str) -> None:
    before = aws.scan(TableName="merchants")["Count"]

    with pytest.raises(InvalidRequestError) as refused:
        create_merchant(app, name, False, LIMITS)

    assert [problem.field for problem in refused.value.problems] == ["name"]
    assert aws.scan(TableName="merchants")["Count"] == before


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (Limits(0, 1), ["rate"]),
        (Limits(1, 0), ["burst"]),
        (Limits(-1, MAX_BURST + 1), ["rate", "burst"]),
        (Limits(MAX_RATE + 1, 1), ["rate"]),
    ],
)
def test_limits_have_limits(app: App, shop: NewMerchant, limits: Limits, fields: list[str]) -> None:
    merchant_id = shop.record.merchant.merchant_id

    for attempt in (
        lambda: create_merchant(app, "Shop", False, limits),
        lambda: set_limits(app, merchant_id, limits),
    ):
        with pytest.raises(InvalidRequestError) as refused:
            attempt()
        assert [problem.field for problem in refused.value.problems] == fields
    assert record_of(app, merchant_id).merchant.limits == LIMITS


@pytest.mark.usefixtures("dynamodb")
def test_the_list_has_every_merchant_of_every_page_the_oldest_first(
    app: App, clock: FakeClock
) -> None:
    made = []
    for name in ("B", "A", "C"):
        clock.advance(1)
        made.append(create_merchant(app, name, False, LIMITS).record)

    assert list_merchants(app)[1:] == made
    assert list_merchants(app)[0].merchant.merchant_id == "demo"


def test_seeding_again_leaves_what_an_operator_changed(app: App, aws: Any) -> None:
    set_limits(app, "demo", Limits(3, 4))
    second = rotate_key(app, "demo", False)
    revoke_key(app, "demo", second.others[0].key_id)
    before = record_of(app, "demo")

    seed_demo(app)

    assert record_of(app, "demo") == before
    assert is_refused(app, API_KEY)
    assert authenticate(app, second.api_key).merchant_id == "demo"


def test_a_seed_takes_no_other_merchants_key(app: App) -> None:
    with pytest.raises(ConditionFailedError):
        seed(app, "thief", API_KEY)

    assert authenticate(app, API_KEY).merchant_id == "demo"
