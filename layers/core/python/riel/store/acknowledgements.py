"""What operators have acknowledged of a payment or a refund: a list in its item, appended to.

Nothing else writes the list, so no worker that read the item earlier can take an entry back. It is
read where the items are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.domain.attention import T
from riel.domain.instants import to_text
from riel.domain.payment import Acknowledgement, Payment
from riel.domain.refund import Refund
from riel.store import keys, payment_items, refund_items
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class AcknowledgementStore:
    """Acknowledgements live in the items that they are about, in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, payments_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = payments_table

    def write(self, before: T, after: T) -> bool:
        """Add the last acknowledgement, clear the attention, and leave the list of what waits.

        False when the item was changed meanwhile, or needs attention for something else.
        """
        place = _place(after)
        present = {name: value for name, value in place.items() if value}
        sets = "".join(f", {name} = :{name}" for name in present)
        removes = ["attention", "attention_reason", "attention_at"]
        removes += [name for name in place if name not in present]
        reason = "attribute_not_exists(attention_reason)"
        if before.attention_reason:
            reason = "attention_reason = :reason"
            present["reason"] = before.attention_reason
        values = {f":{name}": encode(value) for name, value in present.items()} | {
            ":done": encode([_write(after.acknowledged[-1])]),
            ":none": encode([]),
            ":sequence": encode(before.sequence),
            ":attention": encode(before.attention),
        }
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=_key(before),
                UpdateExpression="SET acknowledged = list_append(if_not_exists(acknowledged,"
                f" :none), :done){sets} REMOVE {', '.join(removes)}",
                ConditionExpression="#sequence = :sequence AND attention = :attention"
                f" AND {reason}",
                ExpressionAttributeNames={"#sequence": "sequence"},
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError:
            return False
        return True


def _key(item: Payment | Refund) -> Item:
    sort_key = keys.refund(item.refund_id) if isinstance(item, Refund) else keys.PAYMENT
    return {"pk": encode(item.payment_id), "sk": encode(sort_key)}


def _place(item: Payment | Refund) -> dict[str, str | None]:
    if isinstance(item, Refund):
        return refund_items.index_fields(item)
    return payment_items.index_fields(item)


def _write(done: Acknowledgement) -> dict[str, str]:
    return {"what": done.what, "who": done.who, "why": done.why, "at": to_text(done.at)}
