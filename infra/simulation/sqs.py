"""A model of SQS's standard queues: at least once, in no order, hidden while somebody works.

What the documentation promises and no more: a message may come twice or late, some entries of a
batch may fail, a receipt may be good for nothing once the message was received again, and whoever
receives a message too often finds it gone to the queue's dead letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.simulation.deployment import QUEUE_URL, QueueSpec
from infra.simulation.faults import BATCH
from infra.simulation.kernel import Kernel
from infra.simulation.transport import ServiceError

MAX_DELAY_SECONDS = 900
MAX_BYTES = 256 * 1024
MAX_BATCH = 10
OLD_RECEIPT_DELETES = 0.5
"""How often the receipt of an earlier receive deletes: it succeeds, and is not sure to do it."""
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Message:
    """One message; `visible_at` is when it can be received (again)."""

    message_id: str
    body: str
    sent_at: float
    visible_at: float
    group: str = ""
    receives: int = 0
    first_received_at: float = 0.0

    @property
    def receipt(self) -> str:
        """The receipt of the last receive; what an older one is good for is left to chance."""
        return f"{self.message_id}#{self.receives}"


@dataclass
class Queue:
    """One queue and its messages."""

    spec: QueueSpec
    messages: dict[str, Message] = field(default_factory=dict)
    when_sent: Callable[[float], None] = lambda _at: None


class Sqs:
    """All queues of a stage."""

    def __init__(self, kernel: Kernel, specs: tuple[QueueSpec, ...]) -> None:
        self._kernel = kernel
        self.queues = {spec.name: Queue(spec) for spec in specs}
        self.on_sent: Callable[[str, Message], None] = lambda _queue, _message: None
        self.on_deleted: Callable[[str, Message], None] = lambda _queue, _message: None
        self.sent = 0

    def call(
        self, operation: str, request: Mapping[str, Any], failing: Collection[int] = ()
    ) -> dict[str, Any]:
        """Answer a request as it is on the wire; `failing` are a batch's entries that fail."""
        queue = self._queue(request["QueueUrl"])
        if operation == BATCH:
            return self._send_batch(queue, request["Entries"], failing)
        handlers: dict[str, Callable[[Queue, Mapping[str, Any]], dict[str, Any]]] = {
            "SendMessage": self._send_message,
            "ReceiveMessage": self._receive_message,
            "DeleteMessage": self._delete_message,
            "ChangeMessageVisibility": self._change_visibility,
            "GetQueueAttributes": self._attributes,
        }
        if operation not in handlers:
            raise NotImplementedError(f"the model of SQS has no {operation}")
        return handlers[operation](queue, request)

    def send(self, name: str, body: str, delay: float = 0.0, group: str = "") -> Message:
        """Put a message into a queue."""
        queue = self.queues[name]
        self.sent += 1
        now = self._kernel.now
        message = Message(f"m{self.sent}", body, now, now + delay, group)
        queue.messages[message.message_id] = message
        queue.when_sent(message.visible_at)
        self.on_sent(name, message)
        return message

    def receive(self, name: str, limit: int, visibility: float | None = None) -> list[Message]:
        """Receive what is visible, in an order of chance; move what came too often."""
        queue = self.queues[name]
        now, spec = self._kernel.now, queue.spec
        visible = [m for m in queue.messages.values() if m.visible_at <= now]
        visible.sort(key=lambda m: self._kernel.draw("order", m.message_id, m.receives))
        taken: list[Message] = []
        for message in visible:
            if len(taken) == limit:
                break
            if spec.max_receives and message.receives >= spec.max_receives:
                self._bury(queue, message)
                continue
            message.receives += 1
            message.first_received_at = message.first_received_at or now
            message.visible_at = now + (
                spec.visibility_seconds if visibility is None else visibility
            )
            taken.append(message)
        return taken

    def delete(self, name: str, receipt: str) -> None:
        """Delete a message by the receipt of its last receive; an older one may delete it too."""
        found = self._held(self.queues[name], receipt)
        if found is None and self._kernel.draw("old receipt", receipt) < OLD_RECEIPT_DELETES:
            found = self.queues[name].messages.get(_message_id(receipt))
        if found:
            del self.queues[name].messages[found.message_id]
            self.on_deleted(name, found)

    def next_visible(self, name: str) -> float | None:
        """When the next message of a queue can be received."""
        return min((m.visible_at for m in self.queues[name].messages.values()), default=None)

    def _bury(self, queue: Queue, message: Message) -> None:
        del queue.messages[message.message_id]
        dead = self.queues[queue.spec.dead_letters]
        message.visible_at, message.receives = self._kernel.now, 0
        dead.messages[message.message_id] = message

    def _queue(self, url: str) -> Queue:
        name = url.removeprefix(QUEUE_URL)
        if name not in self.queues:
            raise ServiceError("com.amazonaws.sqs#QueueDoesNotExist", name)
        return self.queues[name]

    def _held(self, queue: Queue, receipt: str) -> Message | None:
        message = queue.messages.get(_message_id(receipt))
        return message if message and message.receipt == receipt else None

    def _send_message(self, queue: Queue, request: Mapping[str, Any]) -> dict[str, Any]:
        message = self._accept(queue, request)
        return {"MessageId": message.message_id, "MD5OfMessageBody": ""}

    def _send_batch(
        self, queue: Queue, entries: list[dict[str, Any]], failing: Collection[int]
    ) -> dict[str, Any]:
        if not 0 < len(entries) <= MAX_BATCH:
            raise ServiceError("com.amazonaws.sqs#TooManyEntriesInBatchRequest")
        if sum(len(entry["MessageBody"].encode()) for entry in entries) > MAX_BYTES:
            raise ServiceError("com.amazonaws.sqs#BatchRequestTooLong")
        sent = [
            (entry["Id"], self._accept(queue, entry))
            for position, entry in enumerate(entries)
            if position not in failing
        ]
        answer = {
            "Successful": [
                {"Id": name, "MessageId": message.message_id, "MD5OfMessageBody": ""}
                for name, message in sent
            ]
        }
        return answer | ({"Failed": [_failed(entries[one]) for one in failing]} if failing else {})

    def _accept(self, queue: Queue, entry: Mapping[str, Any]) -> Message:
        delay = entry.get("DelaySeconds", 0)
        body = entry["MessageBody"]
        if not 0 <= delay <= MAX_DELAY_SECONDS or len(body.encode()) > MAX_BYTES:
            raise ServiceError("com.amazonaws.sqs#InvalidParameterValue", "delay or length")
        if _FORBIDDEN.search(body):
            raise ServiceError("com.amazonaws.sqs#InvalidMessageContents", "not of XML 1.0")
        return self.send(queue.spec.name, body, delay, entry.get("MessageGroupId", ""))

    def _receive_message(self, queue: Queue, request: Mapping[str, Any]) -> dict[str, Any]:
        taken = self.receive(
            queue.spec.name, request.get("MaxNumberOfMessages", 1), request.get("VisibilityTimeout")
        )
        return {
            "Messages": [
                {
                    "MessageId": message.message_id,
                    "ReceiptHandle": message.receipt,
                    "Body": message.body,
                    "Attributes": attributes(message),
                }
                for message in taken
            ]
        }

    def _delete_message(self, queue: Queue, request: Mapping[str, Any]) -> dict[str, Any]:
        self.delete(queue.spec.name, request["ReceiptHandle"])
        return {}

    def _change_visibility(self, queue: Queue, request: Mapping[str, Any]) -> dict[str, Any]:
        message = self._held(queue, request["ReceiptHandle"])
        if message is None or message.visible_at <= self._kernel.now:
            raise ServiceError("com.amazonaws.sqs#MessageNotInflight")
        message.visible_at = self._kernel.now + request["VisibilityTimeout"]
        queue.when_sent(message.visible_at)
        return {}

    def _attributes(self, queue: Queue, _request: Mapping[str, Any]) -> dict[str, Any]:
        now = self._kernel.now
        waiting = [m for m in queue.messages.values() if m.visible_at > now]
        delayed = sum(1 for m in waiting if not m.receives)
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(queue.messages) - len(waiting)),
                "ApproximateNumberOfMessagesNotVisible": str(len(waiting) - delayed),
                "ApproximateNumberOfMessagesDelayed": str(delayed),
            }
        }


def _message_id(receipt: str) -> str:
    return receipt.partition("#")[0]


def _failed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"}


def attributes(message: Message) -> dict[str, str]:
    """SQS's own attributes of a message, as they are on the wire: times in milliseconds."""
    named = {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(round(message.sent_at * 1000)),
        "ApproximateFirstReceiveTimestamp": str(round(message.first_received_at * 1000)),
        "SenderId": "AIDASIMULATED",
    }
    return named | ({"MessageGroupId": message.group} if message.group else {})
