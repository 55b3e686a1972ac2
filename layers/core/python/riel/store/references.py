"""The guard of a merchant's own order ids: at most one payment at a time has a reference.

The guard is an item of the payments table, written in the transaction that creates the payment,
and names it. It is never freed: when its payment has failed, expired or was canceled, the next
payment with that reference takes the guard over, on the condition that both are still so. A
payment without a reference costs nothing.
"""

from __future__ import annotations

from typing import Any

from riel.domain.payment import Payment, Status
from riel.ids import reference_id
from riel.store import keys
from riel.store.items import encode, to_item

GIVEN_UP = (Status.FAILED, Status.CANCELED, Status.EXPIRED)
"""Where a payment no longer needs its reference."""


def take(table: str, payment: Payment) -> dict[str, Any]:
    """Build the action that takes a reference nobody had."""
    return _put(table, payment, "attribute_not_exists(pk)", {})


def take_over(table: str, payment: Payment, holder: str) -> list[dict[str, Any]]:
    """Build the actions that take a reference from a payment that was given up."""
    states = {f":{status}": encode(str(status)) for status in GIVEN_UP}
    check = {
        "TableName": table,
        "Key": {"pk": {"S": holder}, "sk": {"S": keys.PAYMENT}},
        "ConditionExpression": f"#status IN ({', '.join(states)})",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": states,
    }
    guard = _put(table, payment, "payment_id = :holder", {":holder": encode(holder)})
    return [guard, {"ConditionCheck": check}]


def _put(table: str, payment: Payment, condition: str, values: dict[str, Any]) -> dict[str, Any]:
    guard = reference_id(payment.merchant_id, payment.livemode, payment.reference or "")
    fields = {"pk": guard, "sk": keys.REFERENCE, "payment_id": payment.payment_id}
    put: dict[str, Any] = {
        "TableName": table,
        "Item": to_item(fields),
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if values:
        put["ExpressionAttributeValues"] = values
    return {"Put": put}
