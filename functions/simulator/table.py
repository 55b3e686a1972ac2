"""What the simulator remembers, in a table of its own whose only key is `pk`.

charge#<gateway>#<key>    one charge with its deposits and refunds, so each change is one write
refund#<gateway>#<key>    which charge a refund belongs to
voucher#<payment>         which charge a payer's deposit goes to
seen#<payment>            when a payment was asked for first, and by which key
outcome#<payment>         the token that was forced on a payment
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.simulator.charges import Charge, Refund, RefundStatus, Status
from riel.store.items import Item, encode, from_fields, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MAX_DEPOSITS = 100
MAX_REFUNDS = 200
_CONDITION_FAILED = "ConditionalCheckFailedException"


class ChargeTable:
    """Charges, refunds and forced outcomes. Every change is one conditional write of one item."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, charge: Charge) -> tuple[Charge, bool]:
        """Remember the answer to a key; return the one that counts, and whether it is new."""
        if charge.voucher:
            fields = {"gateway": charge.gateway, "key": charge.idempotency_key}
            self._put(f"voucher#{charge.payment_id}", fields)
        pk = _pk(charge.gateway, charge.idempotency_key)
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item({"pk": pk, **asdict(charge)}),
                # A poisoned answer moved no money, so a healed payment may replace it.
                ConditionExpression="attribute_not_exists(pk) OR #state = :poisoned",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":poisoned": encode(Status.POISONED)},
            )
        except ClientError as error:
            _raise_unless_condition(error)
            return self.get(charge.gateway, charge.idempotency_key) or charge, False
        return charge, True

    def get(self, gateway: str, key: str) -> Charge | None:
        """Find the answer to a key of a gateway."""
        fields = self._get(_pk(gateway, key))
        return from_fields(Charge, fields) if fields else None

    def voucher_of(self, payment_id: str) -> Charge | None:
        """Find the voucher that a payer of this payment holds."""
        fields = self._get(f"voucher#{payment_id}")
        return self.get(fields["gateway"], fields["key"]) if fields else None

    def all(self) -> Iterator[Charge]:
        """Every charge. A scan: the simulator is for tests and demos."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                fields = from_item(item)
                if fields.pop("pk").startswith("charge#"):
                    yield from_fields(Charge, fields)

    def deposit(self, charge: Charge, deposit_id: str, minor: int) -> Charge | None:
        """Add a deposit, once; None when it is there already, or there are too many."""
        return self._change(
            charge,
            "SET deposits.#id = :minor, received = received + :minor",
            "attribute_not_exists(deposits.#id) AND size(deposits) < :most",
            {"#id": deposit_id},
            {":minor": minor, ":most": MAX_DEPOSITS},
        )

    def deposit_rest(self, charge: Charge, deposit_id: str, minor: int) -> Charge | None:
        """Add a deposit that was reckoned from `charge`; None when it has changed meanwhile."""
        return self._change(
            charge,
            "SET deposits.#id = :minor, received = :seen + :minor",
            "attribute_not_exists(deposits.#id) AND size(deposits) < :most AND received = :seen",
            {"#id": deposit_id},
            {":minor": minor, ":most": MAX_DEPOSITS, ":seen": charge.received},
        )

    def void(self, charge: Charge) -> Charge | None:
        """Void a voucher that waits; None when it does not wait any more."""
        return self._change(
            charge,
            "SET #state = :voided",
            "#state = :awaiting AND received < amount",
            {"#state": "state"},
            {":voided": Status.VOIDED, ":awaiting": Status.AWAITING},
        )

    def add_refund(self, charge: Charge, refund: Refund) -> Charge | None:
        """Remember a refund; None when `charge` had been refunded or paid meanwhile."""
        fields = {"gateway": charge.gateway, "key": charge.idempotency_key}
        self._put(f"refund#{charge.gateway}#{refund.idempotency_key}", fields)
        back = refund.amount if refund.status == RefundStatus.SUCCEEDED else 0
        return self._change(
            charge,
            "SET refunds.#key = :refund, refunded = :seen + :back",
            "attribute_not_exists(refunds.#key) AND size(refunds) < :most AND refunded = :seen"
            " AND received = :received",
            {"#key": refund.idempotency_key},
            {
                ":refund": asdict(refund),
                ":back": back,
                ":most": MAX_REFUNDS,
                ":seen": charge.refunded,
                ":received": charge.received,
            },
        )

    def get_refund(self, gateway: str, key: str) -> Refund | None:
        """Find the answer to a refund's key."""
        fields = self._get(f"refund#{gateway}#{key}")
        charge = self.get(fields["gateway"], fields["key"]) if fields else None
        return charge.refund(key) if charge else None

    def force(self, payment_id: str, token: str) -> None:
        """From now on, decide this payment by another token."""
        self._put(f"outcome#{payment_id}", {"token": token})

    def forced(self, payment_id: str) -> str | None:
        """The token that was forced on a payment, if any."""
        fields = self._get(f"outcome#{payment_id}")
        return fields["token"] if fields else None

    def first_seen(self, payment_id: str, key: str, now_ms: int) -> tuple[int, str]:
        """When this payment was asked for first, in epoch milliseconds, and by which key."""
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key={"pk": {"S": f"seen#{payment_id}"}},
            UpdateExpression="SET seen_at = if_not_exists(seen_at, :now),"
            " first_key = if_not_exists(first_key, :key)",
            ExpressionAttributeValues={":now": encode(now_ms), ":key": encode(key)},
            ReturnValues="ALL_NEW",
        )
        fields = from_item(answer["Attributes"])
        return fields["seen_at"], fields["first_key"]

    def _change(
        self,
        charge: Charge,
        update: str,
        condition: str,
        names: dict[str, str],
        values: dict[str, Any],
    ) -> Charge | None:
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": _pk(charge.gateway, charge.idempotency_key)}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={name: encode(value) for name, value in values.items()},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            _raise_unless_condition(error)
            return None
        fields = from_item(answer["Attributes"])
        del fields["pk"]
        return from_fields(Charge, fields)

    def _put(self, pk: str, fields: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=to_item({"pk": pk, **fields}))

    def _get(self, pk: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": pk}}, ConsistentRead=True
        )
        item: Item | None = answer.get("Item")
        if item is None:
            return None
        fields = from_item(item)
        del fields["pk"]
        return fields


def _pk(gateway: str, key: str) -> str:
    return f"charge#{gateway}#{key}"


def _raise_unless_condition(error: ClientError) -> None:
    if error.response["Error"]["Code"] != _CONDITION_FAILED:
        raise error
