"""What the product lets go of: a message or a record, once something else carries its subject on.

The sweeper finds most of what is dropped all the same, a minute later; but not for ever, so that is
no reason to drop anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.simulation.deployment import Deployment
from infra.simulation.dynamodb import DynamoDb
from infra.simulation.sqs import Message, Sqs

Report = Callable[[str, str], None]
"""Is told of a violation: its name, and what happened."""
DROPPED = "what is acknowledged goes on"
NOT_RELAYED = "what is relayed was sent"
_STARTS = ("payment.created", "refund.created")
_LAST_SEQUENCE_WITHOUT_GATEWAY = 2
_AT_WORK = ("pending", "processing", "awaiting_payment")
"""Where a payment or a refund needs something that brings it forward."""
_OPEN = ("received", "unmatched")
_NAMES = ("inbox_id", "refund_id", "event_id", "payment_id")


class Handovers:
    """Watches the queues and the stream of a run."""

    def __init__(
        self, deployment: Deployment, dynamodb: DynamoDb, sqs: Sqs, report: Report
    ) -> None:
        self._table = deployment.named("payments")
        self._webhooks = deployment.named("webhooks")
        self._dynamodb = dynamodb
        self._sqs = sqs
        self._report = report
        self._events_sent: set[str] = set()
        sqs.on_sent = self._note_sent
        sqs.on_deleted = self._judge

    def see_relayed(self, images: Sequence[Mapping[str, Any]]) -> None:
        """Judge the stream's records that the relay is done with, by their new images."""
        for image in images:
            event_id = image["event_id"]["S"]
            if _leads_somewhere(image) and event_id not in self._events_sent:
                self._report(NOT_RELAYED, f"{image['type']['S']} {event_id} was never sent")

    def _note_sent(self, _queue: str, message: Message) -> None:
        event_id = json.loads(message.body).get("event_id")
        if event_id:
            self._events_sent.add(event_id)

    def _judge(self, queue: str, message: Message) -> None:
        body = json.loads(message.body)
        name, is_in_need = self._need(queue, body)
        if name and is_in_need and not self._comes_again(name, body[name]):
            self._report(DROPPED, f"nothing brings {body[name]} forward, and its message is gone")

    def _need(self, queue: str, body: Mapping[str, Any]) -> tuple[str, bool]:
        """Say by which name others are about the same, and whether there has to be another."""
        if "inbox_id" in body:
            item = self._item(body["inbox_id"], "inbox")
            return "inbox_id", item.get("state") in _OPEN and "due_sk" not in item
        if queue == self._webhooks:
            item = self._item(body["payment_id"], f"delivery#{body['event_id']}")
            return "event_id", item.get("state", "pending") == "pending" and "due_sk" not in item
        if "refund_id" in body:
            item = self._item(body["payment_id"], f"refund#{body['refund_id']}")
            return "refund_id", item.get("status") in _AT_WORK and "due_sk" not in item
        if "payment_id" not in body:
            return "", False
        item = self._item(body["payment_id"], "payment")
        return "payment_id", item.get("status") in _AT_WORK and "due_sk" not in item

    def _item(self, pk: str, sk: str) -> dict[str, str]:
        """Read what an item says in words."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        request = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        item = self._dynamodb.call("GetItem", request).get("Item", {})
        return {name: value["S"] for name, value in item.items() if "S" in value}

    def _comes_again(self, name: str, about: str) -> bool:
        """Whether some message of any queue, dead letters among them, is about the same."""
        quoted = f'"{about}"'
        return any(
            quoted in message.body and _subject(message) == (name, about)
            for queue in self._sqs.queues.values()
            for message in queue.messages.values()
        )


def _subject(message: Message) -> tuple[str, str]:
    body = json.loads(message.body)
    is_step = "type" not in body and "turn" not in body
    for name in _NAMES:
        # A step names the event that it came from, too, and is not about that.
        if body.get(name) and not (name == "event_id" and is_step):
            return name, str(body[name])
    return "", ""


def _leads_somewhere(image: Mapping[str, Any]) -> bool:
    kind = image["type"]["S"]
    if kind in _STARTS or "webhook_url" in image:
        return True
    sequence = int(image["sequence"]["N"])
    return kind == "payment.canceled" and sequence > _LAST_SEQUENCE_WITHOUT_GATEWAY
