"""Endpoints that fail: since when, and whether they were stopped. One that never did has no item.

An endpoint is a merchant and an exact URL. Its item is read before each attempt, through a short
cache, and written at most once a minute by each environment while it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.clock import Clock
from riel.domain.instants import from_text, to_text
from riel.ids import endpoint_id
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.expiring_cache import ExpiringCache
from riel.store.items import Item, from_item, to_item, update_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CACHE_SECONDS = 30
CACHE_ENTRIES = 1_000
FORGOTTEN = timedelta(days=30)
"""When TTL takes away one that works again, or was never heard of again; a stopped one stays."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A merchant's URL. `failing_since` is the first failure after its last success.

    `stopped_at` and `why` tell that nothing is sent there any more.
    """

    merchant_id: str
    url: str
    failing_since: datetime | None = None
    last_failure_at: datetime | None = None
    stopped_at: datetime | None = None
    why: str = ""

    @property
    def endpoint_id(self) -> str:
        """Its id, derived."""
        return endpoint_id(self.merchant_id, self.url)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is sent there any more."""
        return self.stopped_at is not None


class EndpointStore:
    """Endpoints, in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table
        self._clock = clock
        self._cache: ExpiringCache[Endpoint] = ExpiringCache(CACHE_ENTRIES, CACHE_SECONDS)

    def get(self, merchant_id: str, url: str) -> Endpoint:
        """Find an endpoint, up to 30 seconds old; one that never failed is as good as new."""
        now, known_by = self._clock(), endpoint_id(merchant_id, url)
        if cached := self._cache.get(known_by, now):
            return cached
        found = self.read(known_by) or Endpoint(merchant_id, url)
        self._cache.put(known_by, found, now)
        return found

    def read(self, known_by: str) -> Endpoint | None:
        """Read an endpoint by its id, past the cache, at half the price of a consistent read."""
        answer = call(self._dynamodb.get_item, TableName=self._table, Key=_key(known_by))
        return _read(answer["Item"]) if "Item" in answer else None

    def save(self, before: Endpoint, after: Endpoint) -> bool:
        """Write an endpoint; False when others wrote meanwhile what must not be lost.

        That is a stop, or its end; for a failure also a success, which ended the spell that it
        belongs to. `get` then has what stands there instead.
        """
        now = self._clock()
        fields = _write(after, now)
        condition, values = _unless_changed(before, after)
        request = update_of(fields)
        request["ExpressionAttributeValues"] |= values
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=_key(after.endpoint_id),
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        except ConditionFailedError as failed:
            # It is our own write if its answer was lost and the client sent it again.
            there = failed.item or {}
            if {name: there[name] for name in fields if name in there} != to_item(fields):
                found = (
                    _read(failed.item) if failed.item else Endpoint(after.merchant_id, after.url)
                )
                self._cache.put(after.endpoint_id, found, now)
                return False
        self._cache.put(after.endpoint_id, after, now)
        return True


def _unless_changed(before: Endpoint, after: Endpoint) -> tuple[str, Item]:
    """Word the condition, and its values."""
    if before.stopped_at:
        return "stopped_at = :stopped", {":stopped": {"S": to_text(before.stopped_at)}}
    is_open = "attribute_not_exists(stopped_at)"
    if after.failing_since is None:
        return is_open, {}
    if before.failing_since is None:
        return f"{is_open} AND attribute_not_exists(failing_since)", {}
    since = {"S": to_text(before.failing_since)}
    return f"{is_open} AND failing_since = :since", {":since": since}


def _key(known_by: str) -> Item:
    return {"pk": {"S": known_by}, "sk": {"S": keys.ENDPOINT}}


def _write(endpoint: Endpoint, now: datetime) -> dict[str, Any]:
    due_pk = due_sk = expires_at = None
    if endpoint.stopped_at:
        due_pk, due_sk = keys.stopped_endpoint_key(
            endpoint.merchant_id, endpoint.stopped_at, endpoint.endpoint_id
        )
    else:
        expires_at = int((now + FORGOTTEN).timestamp())
    return {
        "merchant_id": endpoint.merchant_id,
        "url": endpoint.url,
        "failing_since": _text(endpoint.failing_since),
        "last_failure_at": _text(endpoint.last_failure_at),
        "stopped_at": _text(endpoint.stopped_at),
        "why": endpoint.why,
        "due_pk": due_pk,
        "due_sk": due_sk,
        "expires_at": expires_at,
    }


def _text(at: datetime | None) -> str:
    return to_text(at) if at else ""


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def _read(item: Item) -> Endpoint:
    fields = from_item(item)
    return Endpoint(
        merchant_id=fields["merchant_id"],
        url=fields["url"],
        failing_since=_instant(fields.get("failing_since")),
        last_failure_at=_instant(fields.get("last_failure_at")),
        stopped_at=_instant(fields.get("stopped_at")),
        why=fields.get("why", ""),
    )
