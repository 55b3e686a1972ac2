"""Merchants, their API keys and their limits: what an operator can do to them.

Keys and secrets are made here and returned once: an API key is stored as its hash only, a webhook
secret sealed. Every change is decided over the merchant as it is now and written only if it still
is so.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from riel import ids
from riel.domain.instants import from_text, to_text
from riel.errors import (
    FieldProblem,
    InvalidRequestError,
    InvalidStateError,
    NotFoundError,
    StoreUnavailableError,
)
from riel.services.webhook_secrets import new_secret, seal_secret
from riel.store.dynamodb import ConditionFailedError
from riel.store.merchant_records import ApiKey, MerchantRecord, MerchantRecords
from riel.store.merchants import Limits, Merchant, SealedSecret

if TYPE_CHECKING:
    from riel.app import App

LIVE_PREFIX = "sk_live_"
TEST_PREFIX = "sk_test_"
_KEY_BYTES = 24
MAX_NAME_LENGTH = 100
MAX_WORKING_KEYS = 2
"""Of one mode: the present one, and the one that a rotation goes over to."""
KEPT_REVOKED_KEYS = 20
"""So many stay in the merchant's list; the older ones' own items stay, and stay revoked."""
RATE_PER_SHARD = 625
"""A partition of the listing index takes 1,000 writes a second; the rest is room for bursts."""
MAX_LISTING_SHARDS = 64
"""A page of a listing is one query for each shard, so there is an end to them."""
MAX_RATE = RATE_PER_SHARD * MAX_LISTING_SHARDS
MAX_BURST = 1_000_000
MAX_ATTEMPTS = 5
SEED_LIMITS = Limits(rate=500, burst=10_000)


@dataclass(frozen=True, slots=True)
class NewMerchant:
    """A merchant that was just created, with what is shown this once."""

    record: MerchantRecord
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just added, shown this once, and the others of its mode that still work."""

    key: ApiKey
    api_key: str = field(repr=False)
    others: tuple[ApiKey, ...]


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key that is revoked; `was_revoked` if it had been before."""

    key: ApiKey
    was_revoked: bool


def create_merchant(app: App, name: str, livemode: bool, limits: Limits) -> NewMerchant:
    """Create a merchant with one key.

    Raises InvalidRequestError for a bad name or bad limits, or StoreUnavailableError.
    """
    name = name.strip()
    _check(_name_problems(name) + _limit_problems(limits))
    merchant_id = ids.merchant_id(secrets.token_hex())
    webhook_secret = new_secret()
    api_key, key = _new_key(livemode, storable_now(app))
    sealed = seal_secret(app, merchant_id, webhook_secret, key.created_at)
    record = _new_record(merchant_id, name, sealed, limits, key)
    _records(app).create(record)
    return NewMerchant(record, api_key, webhook_secret)


def rotate_key(app: App, merchant_id: str, livemode: bool) -> NewKey:
    """Add a second key of a mode; the first goes on until it is revoked.

    Raises NotFoundError, or InvalidStateError where two keys of the mode work already.
    """
    api_key, key = _new_key(livemode, storable_now(app))

    def add(record: MerchantRecord) -> tuple[MerchantRecord, ApiKey | None]:
        if key in record.api_keys:
            return record, None  # our own write, whose answer was lost
        working = _working(record, livemode)
        if len(working) >= MAX_WORKING_KEYS:
            named = " or ".join(one.key_id for one in working)
            raise InvalidStateError(
                f"{merchant_id} has {len(working)} working {key.mode} keys: revoke {named} first"
            )
        return _with_keys(record, (*record.api_keys, key)), key

    changed = change_merchant(app, merchant_id, add)
    others = tuple(one for one in _working(changed, livemode) if one != key)
    return NewKey(key, api_key, others)


def revoke_key(app: App, merchant_id: str, key_id: str) -> Revocation:
    """Take a key out of use, for ever; environments that have it cached follow within 30 s.

    Raises NotFoundError. Of a key that is revoked already it says so, and changes nothing.
    """
    now = storable_now(app)

    def revoke(record: MerchantRecord) -> tuple[MerchantRecord, ApiKey | None]:
        key = _key_of(record, key_id)
        if key.revoked_at:
            return record, None
        revoked = replace(key, revoked_at=now)
        kept = tuple(revoked if one.key_id == key_id else one for one in record.api_keys)
        return _with_keys(record, kept), revoked

    key = _key_of(change_merchant(app, merchant_id, revoke), key_id)
    return Revocation(key, was_revoked=key.revoked_at != now)


def set_limits(app: App, merchant_id: str, limits: Limits) -> Merchant:
    """Change what a merchant may send; environments follow within 30 s.

    Raises NotFoundError or InvalidRequestError.
    """
    _check(_limit_problems(limits))

    def limit(record: MerchantRecord) -> tuple[MerchantRecord, ApiKey | None]:
        shards = listing_shards(limits.rate, record.merchant.listing_shards)
        merchant = replace(record.merchant, limits=limits, listing_shards=shards)
        return replace(record, merchant=merchant), None

    return change_merchant(app, merchant_id, limit).merchant


def list_merchants(app: App) -> list[MerchantRecord]:
    """Read every merchant, the oldest first; it scans the table, so it is for operators only."""
    return sorted(
        _records(app).all(), key=lambda record: (record.created_at, record.merchant.merchant_id)
    )


def listing_shards(rate: int, before: int = 1) -> int:
    """Over how many partitions the listing index spreads a merchant of this rate (a second).

    Never fewer than `before`: older payments lie in the old shards and have to be found there.
    """
    needed = -(-rate // RATE_PER_SHARD)
    return max(before, min(needed, MAX_LISTING_SHARDS))


def seed_merchant(
    app: App,
    *,
    merchant_id: str,
    name: str,
    api_key: str,
    webhook_secret: str,
    limits: Limits = SEED_LIMITS,
) -> Merchant:
    """Write a merchant with a known key and secret; one that exists is left as it is."""
    key = _stored(api_key, storable_now(app))
    sealed = seal_secret(app, merchant_id, webhook_secret, key.created_at)
    record = _new_record(merchant_id, name, sealed, limits, key)
    try:
        _records(app).create(record)
    except ConditionFailedError:
        found = _records(app).get(merchant_id)
        if found is None:
            raise  # the key is another merchant's
        return found.merchant
    return record.merchant


def change_merchant(
    app: App,
    merchant_id: str,
    decide: Callable[[MerchantRecord], tuple[MerchantRecord, ApiKey | None]],
) -> MerchantRecord:
    """Decide over the present merchant and write; once more where another operator was faster."""
    records = _records(app)
    for _ in range(MAX_ATTEMPTS):
        record = _load(records, merchant_id)
        changed, key = decide(record)
        if changed == record:
            return record
        try:
            records.save(changed, key)
        except ConditionFailedError:
            continue
        return changed
    raise StoreUnavailableError("others keep changing this merchant at the same time")


def _records(app: App) -> MerchantRecords:
    return MerchantRecords(app.dynamodb, app.config.required("merchants_table"))


def _load(records: MerchantRecords, merchant_id: str) -> MerchantRecord:
    record = records.get(merchant_id)
    if record is None:
        raise NotFoundError(f"there is no merchant {merchant_id}")
    return record


def _new_record(
    merchant_id: str, name: str, webhook_secret: SealedSecret, limits: Limits, key: ApiKey
) -> MerchantRecord:
    merchant = Merchant(
        merchant_id,
        name,
        (webhook_secret,),
        limits,
        cursor_secret=secrets.token_hex(32),
        listing_shards=listing_shards(limits.rate),
    )
    return MerchantRecord(merchant, (key,), key.created_at)


def _new_key(livemode: bool, now: datetime) -> tuple[str, ApiKey]:
    api_key = (LIVE_PREFIX if livemode else TEST_PREFIX) + secrets.token_urlsafe(_KEY_BYTES)
    return api_key, _stored(api_key, now)


def _stored(api_key: str, now: datetime) -> ApiKey:
    key_hash = ids.api_key_hash(api_key)
    livemode = api_key.startswith(LIVE_PREFIX)
    return ApiKey(ids.api_key_id(key_hash), key_hash, livemode, api_key[-4:], now)


def _key_of(record: MerchantRecord, key_id: str) -> ApiKey:
    for key in record.api_keys:
        if key.key_id == key_id:
            return key
    raise NotFoundError(f"{record.merchant.merchant_id} has no key {key_id}")


def _working(record: MerchantRecord, livemode: bool) -> tuple[ApiKey, ...]:
    return tuple(
        key for key in record.api_keys if key.livemode == livemode and key.revoked_at is None
    )


def _with_keys(record: MerchantRecord, api_keys: tuple[ApiKey, ...]) -> MerchantRecord:
    revoked = sorted((key.revoked_at, key.key_id) for key in api_keys if key.revoked_at)
    dropped = {key_id for _, key_id in revoked[:-KEPT_REVOKED_KEYS]}
    return replace(record, api_keys=tuple(key for key in api_keys if key.key_id not in dropped))


def storable_now(app: App) -> datetime:
    """Return the time as it will be read back: what is written and what is read are equal."""
    return from_text(to_text(app.clock()))


def _check(problems: tuple[FieldProblem, ...]) -> None:
    if problems:
        raise InvalidRequestError(problems)


def _name_problems(name: str) -> tuple[FieldProblem, ...]:
    if 1 <= len(name) <= MAX_NAME_LENGTH and name.isprintable():
        return ()
    rule = f"a name has 1 to {MAX_NAME_LENGTH} printable characters"
    return (FieldProblem("name", "name_invalid", rule),)


def _limit_problems(limits: Limits) -> tuple[FieldProblem, ...]:
    return tuple(
        FieldProblem(field, f"{field}_invalid", f"from 1 to {most}")
        for field, value, most in (
            ("rate", limits.rate, MAX_RATE),
            ("burst", limits.burst, MAX_BURST),
        )
        if not 1 <= value <= most
    )
