"""Merchants and their API keys, read through a short in-memory cache.

A revoked key or a new webhook secret is seen by every environment after `CACHE_SECONDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.clock import Clock
from riel.domain.instants import to_text
from riel.store import keys
from riel.store.dynamodb import call, transact
from riel.store.items import Item, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 30
CACHE_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who is paid. `webhook_secrets` are `whsec_…`, the newest first."""

    merchant_id: str
    name: str
    webhook_secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Whose key it is, and whether it moves real money."""

    merchant_id: str
    livemode: bool


class MerchantStore:
    """The merchants table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._cache: dict[str, tuple[datetime, Item | None]] = {}

    def find_key(self, key_hash: str) -> ApiKey | None:
        """Find an API key by its hash."""
        item = self._read(keys.api_key(key_hash))
        if item is None:
            return None
        fields = from_item(item)
        return ApiKey(fields["merchant_id"], fields["livemode"])

    def get(self, merchant_id: str) -> Merchant | None:
        """Read a merchant."""
        item = self._read(keys.merchant(merchant_id))
        if item is None:
            return None
        fields = from_item(item)
        return Merchant(fields["merchant_id"], fields["name"], tuple(fields["webhook_secrets"]))

    def put(self, merchant: Merchant, key_hash: str, livemode: bool) -> None:
        """Write a merchant with its first API key."""
        now = to_text(self._clock())
        owner = {
            "pk": keys.merchant(merchant.merchant_id),
            "merchant_id": merchant.merchant_id,
            "name": merchant.name,
            "webhook_secrets": merchant.webhook_secrets,
            "created_at": now,
        }
        key = {
            "pk": keys.api_key(key_hash),
            "merchant_id": merchant.merchant_id,
            "livemode": livemode,
            "created_at": now,
        }
        puts = [{"Put": {"TableName": self._table, "Item": to_item(row)}} for row in (owner, key)]
        transact(self._dynamodb, puts)

    def reach(self) -> None:
        """Read past the cache, to find out whether the table answers."""
        self._fetch(keys.merchant("health"))

    def _read(self, pk: str) -> Item | None:
        now = self._clock()
        cached = self._cache.get(pk)
        if cached and cached[0] > now:
            return cached[1]
        item = self._fetch(pk)
        # Unknown keys are cached too, so a flood of one bad key costs one read; the bound keeps
        # a flood of different ones from growing the memory.
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        self._cache[pk] = (now + timedelta(seconds=CACHE_SECONDS), item)
        return item

    def _fetch(self, pk: str) -> Item | None:
        answer = call(self._dynamodb.get_item, TableName=self._table, Key={"pk": {"S": pk}})
        item: Item | None = answer.get("Item")
        return item
