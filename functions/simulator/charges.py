"""What the simulator remembers: one item for each idempotency key, one for each forced outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from riel.store.items import Item, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SUCCEEDED, DECLINED, POISONED = "succeeded", "declined", "poisoned"


@dataclass(frozen=True, slots=True)
class Charge:
    """The answer to one idempotency key. Money moved if, and only if, it succeeded."""

    idempotency_key: str
    charge_id: str
    payment_id: str
    amount: int
    currency: str
    status: str
    created_at: str
    decline_code: str = ""


class ChargeTable:
    """The simulator's own table; `pk` is its only key."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, charge: Charge) -> Charge:
        """Remember the answer to a key, unless there is one; return the one that counts."""
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item({"pk": f"key#{charge.idempotency_key}", **asdict(charge)}),
                # A poisoned answer moved no money, so a healed payment may replace it.
                ConditionExpression="attribute_not_exists(pk) OR #status = :poisoned",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":poisoned": {"S": POISONED}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return self.get(charge.idempotency_key) or charge
        return charge

    def get(self, key: str) -> Charge | None:
        """Find the answer to a key."""
        fields = self._get(f"key#{key}")
        return _charge(fields) if fields else None

    def all(self) -> Iterator[Charge]:
        """Every charge that moved money. A scan: the simulator is for tests and demos."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                fields = from_item(item)
                if fields["pk"].startswith("key#") and fields["status"] == SUCCEEDED:
                    yield _charge(fields)

    def force(self, payment_id: str, token: str) -> None:
        """From now on, decide this payment by another token."""
        item = to_item({"pk": f"outcome#{payment_id}", "token": token})
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def forced(self, payment_id: str) -> str | None:
        """The token that was forced on a payment, if any."""
        fields = self._get(f"outcome#{payment_id}")
        return fields["token"] if fields else None

    def first_seen_ms(self, payment_id: str, now_ms: int) -> int:
        """When this payment was asked for first, in epoch milliseconds."""
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key={"pk": {"S": f"seen#{payment_id}"}},
            UpdateExpression="SET seen_at = if_not_exists(seen_at, :now)",
            ExpressionAttributeValues={":now": {"N": str(now_ms)}},
            ReturnValues="ALL_NEW",
        )
        return int(answer["Attributes"]["seen_at"]["N"])

    def _get(self, pk: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": pk}}, ConsistentRead=True
        )
        item: Item | None = answer.get("Item")
        return from_item(item) if item else None


def _charge(fields: dict[str, Any]) -> Charge:
    fields.setdefault("decline_code", "")
    return Charge(**{name: fields[name] for name in Charge.__dataclass_fields__})
