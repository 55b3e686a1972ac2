"""The inbox: every event that a PSP sent, once, with what became of it.

An event is deleted 90 days after it came, by the table's TTL, unless it is still unmatched: what
nobody could place is never dropped. One that a person has closed is kept for 90 days more, with who
did it and why. What needs a person stands in the index `due` under its state, where the sweeper
does not look, so that it can be listed. A new event is due there from its first moment on, so that
the sweeper brings what nobody has looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from riel.domain.instants import epoch_milliseconds, from_text, to_text
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError, call
from riel.store.items import Item, encode, from_item, to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LIFE = timedelta(days=90)
UNHEARD = timedelta(minutes=5)
"""So long after it came, the sweeper brings an event whose own message led to nothing."""


class State(StrEnum):
    """What became of an event."""

    RECEIVED = "received"
    UNMATCHED = "unmatched"
    """Nobody here knows what it is about, so far."""
    PROCESSED = "processed"
    FOREIGN = "foreign"
    """About a payment of another gateway or mode; ignored."""
    UNREADABLE = "unreadable"
    """Signed by the PSP, and not understood."""
    CLOSED = "closed"
    """An operator has dealt with it."""


OPEN = frozenset({State.RECEIVED, State.UNMATCHED})
NEED_A_PERSON = (State.UNMATCHED, State.FOREIGN, State.UNREADABLE)


@dataclass(frozen=True, slots=True)
class KeptBody:
    """An event's body, or only its length and hash where it is too long to keep.

    `encoding` is `utf-8`, `base64` for bytes that are no text, or empty.
    """

    sha256: str
    size: int
    encoding: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One event. `done` says what was done for it; `at` is the PSP's time, None if unreadable."""

    inbox_id: str
    gateway: str
    event_id: str
    received_at: datetime
    body: KeptBody
    state: State = State.RECEIVED
    type: str = ""
    livemode: bool = False
    at: datetime | None = None
    payment_id: str = ""
    refund_id: str = ""
    traceparent: str = ""
    done: str = ""


class InboxStore:
    """The inbox lives in the payments table."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, event: InboxEvent) -> InboxEvent | None:
        """Store a new event; returns the one that was there already, if any."""
        try:
            call(
                self._dynamodb.put_item,
                TableName=self._table,
                Item=to_item(_fields(event)),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as failed:
            return _read(failed.item) if failed.item else self.get(event.inbox_id)
        return None

    def get(self, inbox_id: str) -> InboxEvent | None:
        """Read an event, strongly consistent."""
        answer = call(
            self._dynamodb.get_item,
            TableName=self._table,
            Key=_key(inbox_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return _read(item) if item else None

    def settle(self, event: InboxEvent, state: State, done: str) -> bool:
        """Say what became of an event; False when another worker has said it already."""
        place = _place_of(event, state) if state in NEED_A_PERSON else None
        return self._move(event, state, done, place)

    def close(self, event: InboxEvent, done: str, at: datetime) -> bool:
        """Take an event off the list of what needs a person; False when it was settled already."""
        return self._move(event, State.CLOSED, done, None, kept_from=at)

    def wait(
        self,
        event: InboxEvent,
        due_at: datetime | None,
        state: State = State.UNMATCHED,
        done: str = "",
    ) -> bool:
        """Keep an event open; the sweeper brings it back at `due_at`, if that is given."""
        place = _due(event, due_at) if due_at else None
        return self._move(event, state, done, place, kept_from=due_at)

    def leave(self, event: InboxEvent, why: str) -> bool:
        """Keep an event open for its dead letter alone: the sweeper does not bring it back."""
        return self._move(event, event.state, why, None)

    def begin_anew(self, before: InboxEvent, after: InboxEvent, due_at: datetime) -> bool:
        """Write what an event's body is read to say now, as if it had just come."""
        place = _due(before, due_at)
        return self._move(before, State.RECEIVED, "", place, due_at, _read_fields(after))

    def _move(
        self,
        event: InboxEvent,
        state: State,
        done: str,
        place: tuple[str, str] | None,
        kept_from: datetime | None = None,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> bool:
        fields = {**more, "state": str(state), "done": done, **_index_fields(place)}
        if state is not State.UNMATCHED:
            fields["expires_at"] = _expiry(kept_from or event.received_at)
        sets = {name: value for name, value in fields.items() if value not in (None, "")}
        removes = {"due_pk", "due_sk", "done", "expires_at"} - sets.keys()
        removing = f" REMOVE {', '.join(f'#{name}' for name in sorted(removes))}" if removes else ""
        try:
            call(
                self._dynamodb.update_item,
                TableName=self._table,
                Key=_key(event.inbox_id),
                UpdateExpression=f"SET {', '.join(f'#{n} = :{n}' for n in sets)}{removing}",
                ConditionExpression="#state = :seen",
                ExpressionAttributeNames={f"#{name}": name for name in {*sets, *removes}},
                ExpressionAttributeValues={
                    **{f":{name}": encode(value) for name, value in sets.items()},
                    ":seen": encode(str(event.state)),
                },
            )
        except ConditionFailedError:
            return False
        return True

    def needing_a_person(self, state: State, limit: int) -> list[InboxEvent]:
        """List events of one of the states in NEED_A_PERSON, the oldest first; may lag by seconds.

        Unmatched ones are listed from the end of their schedule on.
        """
        answer = call(
            self._dynamodb.query,
            TableName=self._table,
            IndexName="due",
            KeyConditionExpression="due_pk = :state",
            ExpressionAttributeValues={":state": encode(keys.inbox_partition(state))},
            Limit=limit,
        )
        found = (self.get(item["pk"]["S"]) for item in answer["Items"])
        return [event for event in found if event is not None and event.state is state]


def _key(inbox_id: str) -> Item:
    return {"pk": encode(inbox_id), "sk": encode(keys.INBOX)}


def _place_of(event: InboxEvent, state: State) -> tuple[str, str]:
    return keys.inbox_partition(state), f"{to_text(event.received_at)}#{event.inbox_id}"


def _due(event: InboxEvent, at: datetime) -> tuple[str, str]:
    return keys.due_key(at, keys.INBOX_QUEUE, event.inbox_id)


def _place_at_first(event: InboxEvent) -> tuple[str, str] | None:
    if event.state is State.RECEIVED:
        return _due(event, event.received_at + UNHEARD)
    return _place_of(event, event.state) if event.state in NEED_A_PERSON else None


def _index_fields(place: tuple[str, str] | None) -> dict[str, Any]:
    return {"due_pk": place[0], "due_sk": place[1]} if place else {}


def _expiry(kept_from: datetime) -> int:
    return epoch_milliseconds(kept_from + LIFE) // 1000


def _fields(event: InboxEvent) -> dict[str, Any]:
    return {
        "pk": event.inbox_id,
        "sk": keys.INBOX,
        "gateway": event.gateway,
        "received_at": to_text(event.received_at),
        "state": str(event.state),
        **_read_fields(event),
        "traceparent": event.traceparent,
        "body": event.body.text,
        "body_encoding": event.body.encoding,
        "body_sha256": event.body.sha256,
        "body_size": event.body.size,
        "expires_at": _expiry(event.received_at),
        **_index_fields(_place_at_first(event)),
    }


def _read_fields(event: InboxEvent) -> dict[str, Any]:
    """What the adapter read in the body."""
    return {
        "event_id": event.event_id,
        "type": event.type,
        "livemode": event.livemode,
        "at": to_text(event.at) if event.at else None,
        "payment_id": event.payment_id,
        "refund_id": event.refund_id,
    }


def _read(item: Mapping[str, Any]) -> InboxEvent:
    fields = from_item(item)
    at = fields.get("at")
    return InboxEvent(
        inbox_id=fields["pk"],
        gateway=fields["gateway"],
        event_id=fields.get("event_id", ""),
        received_at=from_text(fields["received_at"]),
        body=KeptBody(
            fields["body_sha256"],
            fields["body_size"],
            fields.get("body_encoding", ""),
            fields.get("body", ""),
        ),
        state=State(fields["state"]),
        type=fields.get("type", ""),
        livemode=fields["livemode"],
        at=from_text(at) if at else None,
        payment_id=fields.get("payment_id", ""),
        refund_id=fields.get("refund_id", ""),
        traceparent=fields.get("traceparent", ""),
        done=fields.get("done", ""),
    )
