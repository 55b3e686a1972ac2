"""What events should have caused, read many at a time.

Read eventually consistent, at half the price: events are looked at when they are minutes old, and
an effect that such a read misses is only caused once more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from riel.domain.instants import from_text
from riel.store import keys
from riel.store.batch_reads import read_many
from riel.store.items import Item, encode, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Subject = tuple[str, str]
"""A payment's id and a refund's, which is empty for the payment itself."""
_FIELDS = {
    f"#{name}": name
    for name in ("pk", "sk", "status", "attention", "lease_until", "due_sk", "history")
}
_KEYS = {"#pk": "pk", "#sk": "sk"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a payment or a refund is.

    `last_sign` is the end of its last lease, or its last transition where that is later. `is_due`
    tells that the index of what is due brings it back.
    """

    status: str
    last_sign: datetime
    is_due: bool
    attention: str | None


class EffectStore:
    """Looks at the payments table as the sweeper needs it."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def standings(self, subjects: Collection[Subject]) -> dict[Subject, Standing]:
        """Read how far payments and refunds are; what does not exist is left out."""
        by_key = {_key_of(subject): subject for subject in subjects}
        wanted = [_item_key(*key) for key in by_key]
        found = read_many(self._dynamodb, self._table, wanted, fields=_FIELDS)
        return {by_key[item["pk"]["S"], item["sk"]["S"]]: _read(item) for item in found}

    def attempted(self, deliveries: Collection[tuple[str, str]]) -> set[str]:
        """Of deliveries, by payment and event id, return the events that were attempted."""
        wanted = {(payment_id, keys.delivery(event_id)) for payment_id, event_id in deliveries}
        found = read_many(
            self._dynamodb, self._table, [_item_key(*key) for key in wanted], fields=_KEYS
        )
        return {item["sk"]["S"].removeprefix(keys.delivery("")) for item in found}


def _key_of(subject: Subject) -> tuple[str, str]:
    payment_id, refund_id = subject
    return payment_id, keys.refund(refund_id) if refund_id else keys.PAYMENT


def _item_key(pk: str, sk: str) -> Item:
    return {"pk": encode(pk), "sk": encode(sk)}


def _read(item: Item) -> Standing:
    fields = from_item(item)
    lease_end = _EPOCH + timedelta(milliseconds=fields.get("lease_until", 0))
    return Standing(
        status=fields["status"],
        last_sign=max(lease_end, from_text(fields["history"][-1]["at"])),
        is_due="due_sk" in fields,
        attention=fields.get("attention"),
    )
