"""A payment with all that lies beside it: its refunds, and the deliveries of its events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.store import keys
from riel.store.deliveries import Delivery, read_delivery
from riel.store.dynamodb import call
from riel.store.items import Item, encode
from riel.store.payment_items import read_payment
from riel.store.refund_items import read_refund

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class WholePayment:
    """What one partition of the payments table says of a payment."""

    payment: Payment
    refunds: tuple[Refund, ...]
    deliveries: tuple[Delivery, ...]


class WholePaymentStore:
    """Reads all of a payment in one query."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def get(self, payment_id: str) -> WholePayment | None:
        """Read a payment, its refunds and its deliveries, strongly consistent."""
        payment, refunds, deliveries = None, [], []
        for item in self._items(payment_id):
            sort_key = item["sk"]["S"]
            if sort_key == keys.PAYMENT:
                payment = read_payment(item)
            elif sort_key.startswith(keys.refund("")):
                refunds.append(read_refund(item))
            elif sort_key.startswith(keys.delivery("")):
                deliveries.append(read_delivery(item))
        return WholePayment(payment, tuple(refunds), tuple(deliveries)) if payment else None

    def _items(self, payment_id: str) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": encode(payment_id)},
            "ConsistentRead": True,
        }
        while True:
            page = call(self._dynamodb.query, **request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
