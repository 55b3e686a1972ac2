"""Payments: created once, claimed by one worker at a time, moved together with their event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.events import Event
from riel.domain.payment import Payment, Status, Transition
from riel.errors import DuplicateReferenceError, LeaseLostError
from riel.store import keys, outbox, references
from riel.store.claims import ClaimedItem, Claims, Held
from riel.store.dynamodb import ConditionFailedError, call, transact
from riel.store.items import Item, encode
from riel.store.payment_items import (
    changing_fields,
    index_fields,
    read_payment,
    write_payment,
    write_transition,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Claimed:
    """The payment is ours until the lease ends."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Unclaimable:
    """The payment stands where nobody claims it, or is absent (None)."""

    payment: Payment | None


class PaymentStore:
    """The payments table, and the outbox that changes with it."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str, outbox_table: str) -> None:
        self._dynamodb = dynamodb
        self._claims = Claims(dynamodb, payments_table)
        self._table = payments_table
        self._outbox = outbox_table

    def create(self, payment: Payment, event: Event, listing_shards: int = 1) -> Payment | None:
        """Write a new payment and its event. Returns the payment that was there already, if any.

        `listing_shards` is over how many partitions the merchant's payments are listed. Raises
        DuplicateReferenceError while another payment has the reference.
        """
        put = {
            "TableName": self._table,
            "Item": write_payment(payment, listing_shards),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        # The payment's own condition comes first, so that a replay is told from a duplicate.
        actions = [{"Put": put}, outbox.put_action(self._outbox, event)]
        try:
            guard = [references.take(self._table, payment)] if payment.reference else []
            transact(self._dynamodb, [*actions, *guard])
        except ConditionFailedError as failed:
            if failed.position == 0:
                return self._existing(payment.payment_id, failed.item)
            return self._take_over(payment, actions, (failed.item or {})["payment_id"]["S"])
        return None

    def _take_over(
        self, payment: Payment, actions: list[dict[str, Any]], holder: str
    ) -> Payment | None:
        if holder == payment.payment_id:  # this very payment, committed between two looks
            return self._existing(payment.payment_id, None)
        try:
            more = references.take_over(self._table, payment, holder)
            transact(self._dynamodb, [*actions, *more])
        except ConditionFailedError as failed:
            if failed.position == 0:
                return self._existing(payment.payment_id, failed.item)
            taken = (failed.item or {}).get("payment_id", {}).get("S", holder)
            raise DuplicateReferenceError(taken) from failed
        return None

    def _existing(self, payment_id: str, item: Item | None) -> Payment | None:
        return read_payment(item) if item else self.get(payment_id)

    def get(self, payment_id: str) -> Payment | None:
        """Read a payment, strongly consistent."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=self._key(payment_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return read_payment(item) if item else None

    def claim(
        self, payment_id: str, now: datetime, lease: timedelta
    ) -> Claimed | Held | Unclaimable:
        """Take the payment for the gateway step. One write in the common case."""
        line = write_transition(Transition(2, Status.PROCESSING, now, "claimed"))
        match self._claims.claim(self._key(payment_id), line, now, lease):
            case ClaimedItem(item):
                return Claimed(read_payment(item))
            case Held() as held:
                return held
            case refused:
                return Unclaimable(read_payment(refused.item) if refused.item else None)

    def release(self, payment: Payment, held_until: datetime | None = None) -> bool:
        """Give a claim back before its lease ends, with what the payment says of the next one.

        `quiet_since_ms` takes the lease's place. False when another worker has the claim already,
        and with `held_until`, the end of its lease, when it was given back already.
        """
        fields = {
            "lease_until": payment.quiet_since_ms,
            "unknown_outcomes": payment.unknown_outcomes or None,
            "look_ups": payment.look_ups or None,
            "not_before": payment.not_before_ms or None,
            "declines": payment.declines or None,
            "gateway": payment.gateway,
            "left_gateways": payment.left_gateways or None,
            "attention": payment.attention,
            "attention_reason": payment.attention_reason,
            **index_fields(payment),
        }
        key = self._key(payment.payment_id)
        return self._claims.release(key, payment.fence, fields, held_until)

    def note(self, before: Payment, after: Payment) -> bool:
        """Write what was received, what is due and what needs attention, without a transition.

        False when the payment was changed meanwhile.
        """
        try:
            call(self._dynamodb.update_item, **self._fields_update(before, after))
        except ConditionFailedError:
            return False
        return True

    def record(self, before: Payment, after: Payment, event: Event) -> None:
        """Write the result of a claim and its event together.

        Raises LeaseLostError when another worker has claimed the payment since.
        """
        update = self._result_update(before, after)
        update["ConditionExpression"] += " AND fence = :fence"
        update["ExpressionAttributeValues"][":fence"] = encode(before.fence)
        try:
            transact(self._dynamodb, [{"Update": update}, outbox.put_action(self._outbox, event)])
        except ConditionFailedError as failed:
            raise LeaseLostError(f"{before.payment_id}: fence {before.fence} is old") from failed

    def move(self, before: Payment, after: Payment, event: Event) -> bool:
        """Write a change that needs no claim, and its event; False when it came too late."""
        update = self._result_update(before, after)
        try:
            transact(self._dynamodb, [{"Update": update}, outbox.put_action(self._outbox, event)])
        except ConditionFailedError:
            return False
        return True

    def _result_update(self, before: Payment, after: Payment) -> dict[str, Any]:
        update = self._fields_update(before, after)
        update["UpdateExpression"] = update["UpdateExpression"].replace(
            "SET ", "SET history = list_append(history, :line), ", 1
        )
        line = write_transition(after.history[-1])
        update["ExpressionAttributeValues"][":line"] = encode([line])
        return update

    def _fields_update(self, before: Payment, after: Payment) -> dict[str, Any]:
        """Build the update of everything that may change, as long as nothing came between.

        Money may come without a transition, so what was received has to be as seen, too.
        """
        fields = changing_fields(after)
        present = {name: value for name, value in fields.items() if value is not None}
        absent = [f"#{name}" for name, value in fields.items() if value is None]
        values = {f":{name}": encode(value) for name, value in present.items()}
        sets = ", ".join(f"#{name} = :{name}" for name in present)
        received = "attribute_not_exists(#received_minor)"
        values[":old_sequence"] = encode(before.sequence)
        if before.received_minor:
            received = "#received_minor = :old_received"
            values[":old_received"] = encode(before.received_minor)
        return {
            "TableName": self._table,
            "Key": self._key(before.payment_id),
            "UpdateExpression": f"SET {sets} REMOVE {', '.join(['lease_until', *absent])}",
            "ConditionExpression": f"#sequence = :old_sequence AND {received}",
            "ExpressionAttributeNames": {f"#{name}": name for name in fields},
            "ExpressionAttributeValues": values,
        }

    def _key(self, payment_id: str) -> Item:
        return {"pk": {"S": payment_id}, "sk": {"S": keys.PAYMENT}}
