"""Payments: created once, claimed by one worker at a time, moved together with their event.

A claim is a lease (`lease_until`, epoch milliseconds) and a fencing token (`fence`, grows by one
with every claim). Whoever records a result names the fence of its own claim, so that a worker
that slept through its lease can write nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from riel.domain.events import Event
from riel.domain.instants import epoch_milliseconds
from riel.domain.payment import Payment, Status, Transition
from riel.errors import DuplicateReferenceError, LeaseLostError
from riel.store import keys, outbox, references
from riel.store.dynamodb import ConditionFailedError, call, transact
from riel.store.items import Item, encode
from riel.store.payment_items import (
    changing_fields,
    read_payment,
    write_payment,
    write_transition,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Claimed:
    """The payment is ours until the lease ends. `is_first` tells that nobody had it before."""

    payment: Payment
    is_first: bool


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker has the payment for so many more seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The payment is absent, or where the gateway step has no work: `reason` says which."""

    reason: str


class PaymentStore:
    """The payments table, and the outbox that changes with it."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str, outbox_table: str) -> None:
        self._dynamodb = dynamodb
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
    ) -> Claimed | Held | NothingToDo:
        """Take the payment for the gateway step. One write in the common case."""
        until = epoch_milliseconds(now + lease)
        try:
            return Claimed(self._claim_pending(payment_id, now, until), is_first=True)
        except ConditionFailedError as failed:
            if failed.item is None:
                return NothingToDo("absent")
            found = failed.item
        if found["status"]["S"] != Status.PROCESSING:
            return NothingToDo(found["status"]["S"])
        return self._claim_again(payment_id, now, until)

    def _claim_pending(self, payment_id: str, now: datetime, until: int) -> Payment:
        line = Transition(2, Status.PROCESSING, now, "claimed")
        return self._update(
            payment_id,
            "SET #status = :processing, #sequence = :two, lease_until = :until, fence = :one,"
            " history = list_append(history, :line)",
            "#status = :pending AND #sequence = :one",
            {
                ":processing": str(Status.PROCESSING),
                ":pending": str(Status.PENDING),
                ":one": 1,
                ":two": 2,
                ":until": until,
                ":line": [write_transition(line)],
            },
            {"#status": "status", "#sequence": "sequence"},
        )

    def _claim_again(
        self, payment_id: str, now: datetime, until: int
    ) -> Claimed | Held | NothingToDo:
        try:
            payment = self._update(
                payment_id,
                "SET lease_until = :until, fence = fence + :one REMOVE attention, attention_reason",
                "#status = :processing AND lease_until <= :now",
                {
                    ":processing": str(Status.PROCESSING),
                    ":until": until,
                    ":one": 1,
                    ":now": epoch_milliseconds(now),
                },
                {"#status": "status"},
            )
        except ConditionFailedError as failed:
            item = failed.item or {}
            if item.get("status", {}).get("S") != Status.PROCESSING:
                return NothingToDo(item.get("status", {}).get("S", "absent"))
            return Held((int(item["lease_until"]["N"]) - epoch_milliseconds(now)) / 1000)
        return Claimed(payment, is_first=False)

    def release(
        self, payment: Payment, *, unknown_outcome: bool = False, dead_letter_reason: str = ""
    ) -> None:
        """Give a claim back before its lease ends; a claim that is lost already stays lost."""
        sets = ["lease_until = :zero"]
        values: dict[str, Any] = {":zero": 0, ":fence": payment.fence}
        if unknown_outcome:
            sets.append("unknown_outcomes = :unknown")
            values[":unknown"] = payment.unknown_outcomes + 1
        if dead_letter_reason:
            sets.append("attention = :attention, attention_reason = :reason")
            values |= {":attention": DEAD_LETTER, ":reason": dead_letter_reason}
        try:
            self._update(payment.payment_id, "SET " + ", ".join(sets), "fence = :fence", values)
        except ConditionFailedError:
            return

    def record(self, before: Payment, after: Payment, event: Event) -> None:
        """Write the result of a claim and its event together.

        Raises LeaseLostError when another worker has claimed the payment since.
        """
        condition = "#sequence = :old_sequence AND fence = :fence"
        update = self._result_update(before, after, condition, {":fence": before.fence})
        try:
            transact(self._dynamodb, [{"Update": update}, outbox.put_action(self._outbox, event)])
        except ConditionFailedError as failed:
            raise LeaseLostError(f"{before.payment_id}: fence {before.fence} is old") from failed

    def move(self, before: Payment, after: Payment, event: Event) -> bool:
        """Write a change that needs no claim, and its event; False when it came too late."""
        update = self._result_update(before, after, "#sequence = :old_sequence", {})
        try:
            transact(self._dynamodb, [{"Update": update}, outbox.put_action(self._outbox, event)])
        except ConditionFailedError:
            return False
        return True

    def _result_update(
        self, before: Payment, after: Payment, condition: str, more: dict[str, Any]
    ) -> dict[str, Any]:
        fields = changing_fields(after)
        present = {name: value for name, value in fields.items() if value is not None}
        absent = [name for name, value in fields.items() if value is None]
        names = {f"#{name}": name for name in fields}
        sets = [f"#{name} = :{name}" for name in present]
        sets.append("history = list_append(history, :line)")
        expression = "SET " + ", ".join(sets) + " REMOVE lease_until"
        for name in absent:
            expression += f", #{name}"
        values = {f":{name}": encode(value) for name, value in present.items()}
        values[":line"] = encode([write_transition(after.history[-1])])
        values[":old_sequence"] = encode(before.sequence)
        values |= {name: encode(value) for name, value in more.items()}
        return {
            "TableName": self._table,
            "Key": self._key(before.payment_id),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _update(
        self,
        payment_id: str,
        expression: str,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> Payment:
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": self._key(payment_id),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {key: encode(value) for key, value in values.items()},
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if names:
            request["ExpressionAttributeNames"] = names
        answer = call(self._dynamodb.update_item, **request)
        return read_payment(answer["Attributes"])

    def _key(self, payment_id: str) -> Item:
        return {"pk": {"S": payment_id}, "sk": {"S": keys.PAYMENT}}
