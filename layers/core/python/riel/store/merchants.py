"""Merchants and their API keys as requests need them: read through a short in-memory cache.

A revoked key, a new limit or a new webhook secret is seen by every environment within
`CACHE_SECONDS`, because reads are consistent and an entry's age counts from before its read.

What does not exist is remembered too, apart and for `UNKNOWN_SECONDS` only: a flood of bad keys
pushes out other bad keys and never a merchant (FC-28), and a key that was tried before it was
created works within those seconds. Operators read and write past the cache, in
`riel.store.merchant_records`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from riel.clock import Clock
from riel.domain.instants import from_text
from riel.store import keys
from riel.store.dynamodb import call
from riel.store.expiring_cache import ExpiringCache
from riel.store.items import Item, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 30
CACHE_ENTRIES = 1_000
"""So many keys, and so many merchants."""
UNKNOWN_SECONDS = 5
UNKNOWN_ENTRIES = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests that a merchant may send: so many per second, and a burst on top."""

    rate: int
    burst: int


OLD_LIMITS = Limits(rate=100, burst=500)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A webhook secret as it is kept: sealed under the stage's KMS key, in base 64.

    `until` is when it ends, once a newer one has taken its place.
    """

    sealed: str = field(repr=False)
    created_at: datetime
    until: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether webhooks are signed by it now."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who is paid. Of its `webhook_secrets` the newest is the first.

    `cursor_secret` signs the merchant's listing cursors; `listing_shards` is over how many
    partitions its payments are spread in the listing index, and never shrinks.
    """

    merchant_id: str
    name: str
    webhook_secrets: tuple[SealedSecret, ...]
    limits: Limits
    cursor_secret: str = field(repr=False)
    listing_shards: int = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the merchant that the API key belongs to, and whether it moves real money."""

    merchant: Merchant
    livemode: bool

    @property
    def merchant_id(self) -> str:
        """The merchant's id."""
        return self.merchant.merchant_id


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """What is stored under the hash of an API key: whose it is, in which mode, and if it works."""

    key_hash: str
    merchant_id: str
    livemode: bool
    is_revoked: bool


def read_merchant(fields: Mapping[str, Any]) -> Merchant:
    """Read a merchant from the fields of its item, also one that was written before its limits."""
    return Merchant(
        merchant_id=fields["merchant_id"],
        name=fields["name"],
        webhook_secrets=tuple(map(_read_secret, fields["webhook_secrets"])),
        limits=Limits(fields.get("rate", OLD_LIMITS.rate), fields.get("burst", OLD_LIMITS.burst)),
        cursor_secret=fields["cursor_secret"],
        listing_shards=fields.get("listing_shards", 1),
    )


def _read_secret(fields: Mapping[str, Any]) -> SealedSecret:
    until = fields.get("until")
    return SealedSecret(
        fields["sealed"], from_text(fields["created_at"]), from_text(until) if until else None
    )


class MerchantStore:
    """The merchants table, read only. Warm, a request costs no call."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._owners: ExpiringCache[KeyOwner] = ExpiringCache(CACHE_ENTRIES, CACHE_SECONDS)
        self._merchants: ExpiringCache[Merchant] = ExpiringCache(CACHE_ENTRIES, CACHE_SECONDS)
        self._unknown: ExpiringCache[bool] = ExpiringCache(UNKNOWN_ENTRIES, UNKNOWN_SECONDS)

    def find_key(self, key_hash: str) -> KeyOwner | None:
        """Find whose the API key with this hash is, revoked ones included."""
        return self._read(self._owners, keys.api_key(key_hash), _read_owner)

    def get(self, merchant_id: str) -> Merchant | None:
        """Read a merchant."""
        return self._read(self._merchants, keys.merchant(merchant_id), read_merchant)

    def reach(self) -> None:
        """Read past the cache, to find out whether the table answers."""
        self._fetch(keys.merchant("health"))

    def _read(
        self, cache: ExpiringCache[T], pk: str, parse: Callable[[Mapping[str, Any]], T]
    ) -> T | None:
        now = self._clock()
        cached = cache.get(pk, now)
        if cached is not None or self._unknown.get(pk, now):
            return cached
        item = self._fetch(pk)
        if item is None:
            self._unknown.put(pk, True, now)
            return None
        value = parse(from_item(item))
        cache.put(pk, value, now)
        return value

    def _fetch(self, pk: str) -> Item | None:
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key={"pk": {"S": pk}},
            ConsistentRead=True,
        )
        item: Item | None = answer.get("Item")
        return item


def _read_owner(fields: Mapping[str, Any]) -> KeyOwner:
    return KeyOwner(
        key_hash=fields["pk"].removeprefix(keys.api_key("")),
        merchant_id=fields["merchant_id"],
        livemode=fields["livemode"],
        is_revoked="revoked_at" in fields,
    )
