"""Refunds: beside their payment, and changed in one transaction with what it counts of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from riel.domain.events import Event
from riel.domain.payment import Payment
from riel.domain.refund import Refund, RefundStatus, RefundTransition
from riel.errors import LeaseLostError
from riel.store import keys, outbox
from riel.store.claims import ClaimedItem, Claims, Held
from riel.store.dynamodb import ConditionFailedError, call, transact
from riel.store.items import Item, encode
from riel.store.refund_items import (
    attention_fields,
    changing_fields,
    index_fields,
    read_refund,
    write_line,
    write_refund,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class Reserved(Enum):
    """What became of a new refund."""

    WRITTEN = "written"
    EXISTS = "exists"
    """This very refund is there already."""
    CHANGED = "changed"
    """The payment was changed meanwhile: read it again, then decide."""


@dataclass(frozen=True, slots=True)
class ClaimedRefund:
    """The refund is ours until the lease ends."""

    refund: Refund


@dataclass(frozen=True, slots=True)
class UnclaimableRefund:
    """The refund stands where nobody claims it, or is absent (None)."""

    refund: Refund | None


class RefundStore:
    """Refunds live in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str, outbox_table: str) -> None:
        self._dynamodb = dynamodb
        self._claims = Claims(dynamodb, payments_table)
        self._table = payments_table
        self._outbox = outbox_table

    def create(self, before: Payment, after: Payment, refund: Refund, event: Event) -> Reserved:
        """Reserve the amount, write the refund and its event: all or nothing."""
        put = {
            "TableName": self._table,
            "Item": write_refund(refund),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        actions = [{"Put": put}, self._reserve(before, after)]
        try:
            transact(self._dynamodb, [*actions, outbox.put_action(self._outbox, event)])
        except ConditionFailedError as failed:
            return Reserved.EXISTS if failed.position == 0 else Reserved.CHANGED
        return Reserved.WRITTEN

    def get(self, payment_id: str, refund_id: str) -> Refund | None:
        """Read a refund, strongly consistent."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(payment_id, refund_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return read_refund(item) if item else None

    def of_payment(self, payment_id: str) -> list[Refund]:
        """Read all refunds of a payment (100 at most), oldest first, strongly consistent."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :refund)",
            "ExpressionAttributeValues": {
                ":pk": encode(payment_id),
                ":refund": encode(keys.refund("")),
            },
            "ConsistentRead": True,
        }
        found: list[Refund] = []
        while True:
            page = call(self._dynamodb.query, **request)
            found += [read_refund(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return sorted(found, key=lambda refund: (refund.created_at, refund.refund_id))
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def claim(
        self, payment_id: str, refund_id: str, now: datetime, lease: timedelta
    ) -> ClaimedRefund | Held | UnclaimableRefund:
        """Take the refund for its gateway step."""
        line = write_line(RefundTransition(2, RefundStatus.PROCESSING, now, "claimed"))
        match self._claims.claim(_key(payment_id, refund_id), line, now, lease):
            case ClaimedItem(item):
                return ClaimedRefund(read_refund(item))
            case Held() as held:
                return held
            case refused:
                return UnclaimableRefund(read_refund(refused.item) if refused.item else None)

    def release(self, refund: Refund, held_until: datetime | None = None) -> bool:
        """Give a claim back with what the refund says of the next one (see PaymentStore)."""
        fields = {
            "lease_until": refund.quiet_since_ms,
            "unknown_outcomes": refund.unknown_outcomes or None,
            "look_ups": refund.look_ups or None,
            "not_before": refund.not_before_ms or None,
            "attention": refund.attention,
            "attention_reason": refund.attention_reason,
            **index_fields(refund),
        }
        key = _key(refund.payment_id, refund.refund_id)
        return self._claims.release(key, refund.fence, fields, held_until)

    def note(self, before: Refund, after: Refund) -> bool:
        """Write what needs attention, without a transition; False when the refund moved on."""
        fields = {**attention_fields(after), **index_fields(after)}
        present = {name: value for name, value in fields.items() if value is not None}
        sets = ", ".join(f"#{name} = :{name}" for name in present)
        absent = ", ".join(f"#{name}" for name in fields if name not in present)
        values = {f":{name}": encode(value) for name, value in present.items()}
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=_key(before.payment_id, before.refund_id),
                UpdateExpression=f"SET {sets}" + (f" REMOVE {absent}" if absent else ""),
                ConditionExpression="#sequence = :sequence",
                ExpressionAttributeNames={
                    "#sequence": "sequence",
                    **{f"#{name}": name for name in fields},
                },
                ExpressionAttributeValues={**values, ":sequence": encode(before.sequence)},
            )
        except ConditionFailedError:
            return False
        return True

    def record(self, before: Refund, after: Refund, event: Event | None) -> None:
        """Write a claim's result, what the payment counts, and the event.

        Raises LeaseLostError when another worker has the refund, or it has moved on.
        """
        actions = [{"Update": _result_update(self._table, before, after)}]
        actions += self._counts(after)
        if event is not None:
            actions.append(outbox.put_action(self._outbox, event))
        try:
            transact(self._dynamodb, actions)
        except ConditionFailedError as failed:
            raise LeaseLostError(f"{before.refund_id}: fence {before.fence} is old") from failed

    def _reserve(self, before: Payment, after: Payment) -> dict[str, Any]:
        seen = {
            "received_minor": before.received_minor,
            "reserved_minor": before.reserved_minor,
            "refund_count": before.refund_count,
        }
        conditions = ["#status = :status"]
        values: dict[str, Any] = {
            ":status": encode(str(before.status)),
            ":reserved": encode(after.reserved_minor),
            ":count": encode(after.refund_count),
        }
        for name, value in seen.items():
            values[f":{name}"] = encode(value)
            # What is 0 may not have been written at all.
            absent = "" if value else f"attribute_not_exists({name}) OR "
            conditions.append(f"({absent}{name} = :{name})")
        update = {
            "TableName": self._table,
            "Key": {"pk": encode(before.payment_id), "sk": encode(keys.PAYMENT)},
            "UpdateExpression": "SET reserved_minor = :reserved, refund_count = :count",
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": values,
        }
        return {"Update": update}

    def _counts(self, after: Refund) -> list[dict[str, Any]]:
        """Count a refund's end in its payment; its own condition lets that happen once."""
        expressions = {
            RefundStatus.COMPLETED: "SET refunded_minor = if_not_exists(refunded_minor, :zero)"
            " + :minor",
            RefundStatus.FAILED: "SET reserved_minor = reserved_minor - :minor",
        }
        if after.status not in expressions:
            return []
        values = {":minor": encode(after.amount.minor)}
        if after.status is RefundStatus.COMPLETED:
            values[":zero"] = encode(0)
        update = {
            "TableName": self._table,
            "Key": {"pk": encode(after.payment_id), "sk": encode(keys.PAYMENT)},
            "UpdateExpression": expressions[after.status],
            "ExpressionAttributeValues": values,
        }
        return [{"Update": update}]


def _result_update(table: str, before: Refund, after: Refund) -> dict[str, Any]:
    fields = changing_fields(after)
    present = {name: value for name, value in fields.items() if value is not None}
    absent = [f"#{name}" for name, value in fields.items() if value is None]
    sets = ", ".join(f"#{name} = :{name}" for name in present)
    values = {f":{name}": encode(value) for name, value in present.items()}
    values[":line"] = encode([write_line(after.history[-1])])
    values |= {":old_sequence": encode(before.sequence), ":fence": encode(before.fence)}
    return {
        "TableName": table,
        "Key": _key(before.payment_id, before.refund_id),
        "UpdateExpression": f"SET history = list_append(history, :line), {sets}"
        f" REMOVE {', '.join(['lease_until', *absent])}",
        "ConditionExpression": "#sequence = :old_sequence AND fence = :fence",
        "ExpressionAttributeNames": {f"#{name}": name for name in fields},
        "ExpressionAttributeValues": values,
    }


def _key(payment_id: str, refund_id: str) -> Item:
    return {"pk": encode(payment_id), "sk": encode(keys.refund(refund_id))}
