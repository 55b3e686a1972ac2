"""Kill switches: one item of the merchants table, with an attribute for each that was ever set.

An attribute's name is the switch (`gateway.simulator`), its value says what was decided last, by
whom and why. Switches are set one by one, so two operators at once can not undo each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from riel.domain.instants import from_text, to_text
from riel.errors import StoreUnavailableError
from riel.store import keys
from riel.store.dynamodb import call
from riel.store.items import Item, encode, from_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


_KEY: Item = {"pk": {"S": keys.SWITCHES}}


@dataclass(frozen=True, slots=True)
class Switch:
    """What was decided last about one switch."""

    is_on: bool
    who: str
    why: str
    at: datetime


class SwitchStore:
    """The item of the switches."""

    def __init__(self, dynamodb: DynamoDBClient, merchants_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = merchants_table

    def read(self) -> dict[str, Switch]:
        """Read all switches that were ever set, strongly consistent.

        Raises StoreUnavailableError whatever fails, even a missing permission: no payment may
        fail because nobody knows what is switched off.
        """
        try:
            answer = call(
                self._dynamodb.get_item, TableName=self._table, Key=_KEY, ConsistentRead=True
            )
        except ClientError as error:
            raise StoreUnavailableError(str(error)) from error
        fields = from_item(answer.get("Item", {}))
        return {name: _read(value) for name, value in fields.items() if name != "pk"}

    def write(self, name: str, switch: Switch) -> None:
        """Set one switch; the last one who does wins."""
        fields = {
            "on": switch.is_on,
            "who": switch.who,
            "why": switch.why,
            "at": to_text(switch.at),
        }
        call(
            self._dynamodb.update_item,
            TableName=self._table,
            Key=_KEY,
            UpdateExpression="SET #name = :switch",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":switch": encode(fields)},
        )


def _read(fields: Mapping[str, Any]) -> Switch:
    return Switch(fields["on"], fields["who"], fields["why"], from_text(fields["at"]))
