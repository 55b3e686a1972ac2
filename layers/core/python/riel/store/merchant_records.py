"""Merchants as an operator sees and changes them: past the cache, with all API keys.

A merchant's item lists its keys, and each key has an item of its own under its hash. Both change
in one transaction, under a condition on the merchant's version: of two operators at once one is
refused and has to look again, so that neither's key is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.instants import from_text, to_text
from riel.store import keys
from riel.store.dynamodb import call, transact
from riel.store.items import Item, from_item, to_item
from riel.store.merchants import Merchant, SealedSecret, read_merchant

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_ABSENT = "attribute_not_exists(pk)"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without the key. `last4` are its last characters, to recognize it by."""

    key_id: str
    key_hash: str
    livemode: bool
    last4: str
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def mode(self) -> str:
        """`live` or `test`."""
        return ids.mode(self.livemode)


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    """A merchant with its keys, the oldest first; `version` counts what was written."""

    merchant: Merchant
    api_keys: tuple[ApiKey, ...]
    created_at: datetime
    version: int = 1


class MerchantRecords:
    """The merchants table, for operators."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, merchant_id: str) -> MerchantRecord | None:
        """Read one merchant as it is now."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key={"pk": {"S": keys.merchant(merchant_id)}},
            ConsistentRead=True,
        )
        return _read(answer["Item"]) if "Item" in answer else None

    def all(self) -> Iterator[MerchantRecord]:
        """Read every merchant, in no order. A scan: its price grows with the table."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "FilterExpression": "begins_with(pk, :merchant)",
            "ExpressionAttributeValues": {":merchant": {"S": keys.merchant("")}},
        }
        while True:
            page = call(self._dynamodb.scan, **request)
            yield from map(_read, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def create(self, record: MerchantRecord) -> None:
        """Write a new merchant and its keys; raises ConditionFailedError if one exists."""
        merchant = record.merchant
        item = to_item(
            {
                "pk": keys.merchant(merchant.merchant_id),
                "merchant_id": merchant.merchant_id,
                "name": merchant.name,
                "cursor_secret": merchant.cursor_secret,
                "created_at": to_text(record.created_at),
                **_changing_fields(record),
                "version": record.version,
            }
        )
        put = {"TableName": self._table, "Item": item, "ConditionExpression": _ABSENT}
        transact(
            self._dynamodb,
            [{"Put": put}, *(self._put_key(merchant.merchant_id, key) for key in record.api_keys)],
        )

    def save(self, record: MerchantRecord, changed: ApiKey | None = None) -> None:
        """Write what can change of a merchant, and the key that was added or revoked.

        Raises ConditionFailedError if the merchant was written since `record.version` was read.
        """
        fields = {**_changing_fields(record), "version": record.version + 1}
        update = {
            "TableName": self._table,
            "Key": {"pk": {"S": keys.merchant(record.merchant.merchant_id)}},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            "ConditionExpression": "#version = :read",
            "ExpressionAttributeNames": {f"#{name}": name for name in fields},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in to_item(fields).items()},
                ":read": {"N": str(record.version)},
            },
        }
        key_actions = [self._put_key(record.merchant.merchant_id, changed)] if changed else []
        transact(self._dynamodb, [{"Update": update}, *key_actions])

    def _put_key(self, merchant_id: str, key: ApiKey) -> dict[str, Any]:
        item = to_item(
            {
                "pk": keys.api_key(key.key_hash),
                "merchant_id": merchant_id,
                "key_id": key.key_id,
                "livemode": key.livemode,
                "created_at": to_text(key.created_at),
                "revoked_at": _text(key.revoked_at),
            }
        )
        put = {
            "TableName": self._table,
            "Item": item,
            # No merchant takes over another's key.
            "ConditionExpression": f"{_ABSENT} OR merchant_id = :merchant",
            "ExpressionAttributeValues": {":merchant": {"S": merchant_id}},
        }
        return {"Put": put}


def _changing_fields(record: MerchantRecord) -> dict[str, Any]:
    merchant = record.merchant
    return {
        "rate": merchant.limits.rate,
        "burst": merchant.limits.burst,
        "listing_shards": merchant.listing_shards,
        "webhook_secrets": [_secret_fields(secret) for secret in merchant.webhook_secrets],
        "api_keys": [_key_fields(key) for key in record.api_keys],
    }


def _secret_fields(secret: SealedSecret) -> dict[str, Any]:
    return _present(
        {
            "sealed": secret.sealed,
            "created_at": to_text(secret.created_at),
            "until": _text(secret.until),
        }
    )


def _key_fields(key: ApiKey) -> dict[str, Any]:
    fields = {
        "key_id": key.key_id,
        "key_hash": key.key_hash,
        "livemode": key.livemode,
        "last4": key.last4,
        "created_at": to_text(key.created_at),
        "revoked_at": _text(key.revoked_at),
    }
    return _present(fields)


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at else None


def _read(item: Item) -> MerchantRecord:
    fields = from_item(item)
    return MerchantRecord(
        merchant=read_merchant(fields),
        api_keys=tuple(map(_read_key, fields["api_keys"])),
        created_at=from_text(fields["created_at"]),
        version=fields["version"],
    )


def _read_key(fields: Mapping[str, Any]) -> ApiKey:
    revoked_at = fields.get("revoked_at")
    return ApiKey(
        key_id=fields["key_id"],
        key_hash=fields["key_hash"],
        livemode=fields["livemode"],
        last4=fields["last4"],
        created_at=from_text(fields["created_at"]),
        revoked_at=from_text(revoked_at) if revoked_at else None,
    )
