"""SQS queues: send, send many, give back, and the operator's receive and delete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from riel.errors import StoreUnavailableError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BATCH_MESSAGES = 10
BATCH_BYTES = 240_000
"""Below SQS's 256 KiB for one SendMessageBatch, with room for the envelope."""
MAX_DELAY_SECONDS = 900
MAX_VISIBILITY_SECONDS = 43_200
_RECEIPT_OLD = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})


@dataclass(frozen=True, slots=True)
class Received:
    """A message in the operator's hands. `attributes` are SQS's own."""

    message_id: str
    body: str
    receipt: str
    attributes: Mapping[str, str]


class Queue:
    """One queue."""

    def __init__(self, sqs: SQSClient, url: str, group_by: str = "") -> None:
        """`group_by` names the field of a message by whose value the queue is fair.

        SQS then prefers the messages of those who have few in flight (`MessageGroupId` on a
        standard queue), so that a long backlog of one delays no other. A value has at most 128
        characters of ASCII without spaces; a message without one shares its place with nobody.
        """
        self._sqs = sqs
        self.url = url
        self._group_by = group_by

    @property
    def name(self) -> str:
        """The queue's own name, with its stage in it."""
        return self.url.rpartition("/")[2]

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        """Send one message, to be seen after a delay of at most 15 minutes."""
        self._send(_text(body), delay_seconds, self._group(body))

    def send_text(self, text: str) -> None:
        """Send a message's text as it is: an operator sends back what was received."""
        self._send(text, 0, {})

    def _send(self, text: str, delay_seconds: int, group: dict[str, str]) -> None:
        try:
            self._sqs.send_message(
                QueueUrl=self.url,
                MessageBody=text,
                DelaySeconds=min(max(delay_seconds, 0), MAX_DELAY_SECONDS),
                **group,  # type: ignore[arg-type]
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailableError(f"send to {self.url}: {error}") from error

    def send_many(self, bodies: Sequence[Mapping[str, Any]]) -> set[int]:
        """Send messages in batches; return the positions of those that were not taken."""
        failed: set[int] = set()
        groups = [self._group(body) for body in bodies]
        for chunk in _chunks([_text(body) for body in bodies]):
            failed |= self._send_chunk(chunk, groups)
        return failed

    def _group(self, body: Mapping[str, Any]) -> dict[str, str]:
        group = body.get(self._group_by)
        return {"MessageGroupId": str(group)} if group else {}

    def _send_chunk(self, chunk: dict[int, str], groups: Sequence[dict[str, str]]) -> set[int]:
        try:
            answer = self._sqs.send_message_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(n), "MessageBody": text, **groups[n]}  # type: ignore[typeddict-item]
                    for n, text in chunk.items()
                ],
            )
        except ClientError:
            # Refused as a whole, perhaps for one entry: its siblings must not suffer for it.
            if len(chunk) == 1:
                return set(chunk)
            return {n for one in chunk.items() for n in self._send_chunk(dict([one]), groups)}
        except BotoCoreError:
            return set(chunk)
        return {int(entry["Id"]) for entry in answer.get("Failed", [])}

    def give_back(self, receipt: str, seconds: int) -> None:
        """Let a message that we hold be received again after so many seconds."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self.url,
                ReceiptHandle=receipt,
                VisibilityTimeout=min(max(seconds, 0), MAX_VISIBILITY_SECONDS),
            )
        except (ClientError, BotoCoreError):
            # Not worth failing for: the message comes back after the queue's own timeout.
            return

    def receive(
        self, visibility_seconds: int, limit: int = 10, wait_seconds: int = 0
    ) -> list[Received]:
        """Receive up to ten messages, hidden from others for so many seconds.

        On AWS only a wait asks all of the queue's servers, so without one an empty answer does
        not prove an empty queue.
        """
        answer = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(limit, BATCH_MESSAGES),
            VisibilityTimeout=visibility_seconds,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
        )
        return [
            Received(
                message["MessageId"],
                message["Body"],
                message["ReceiptHandle"],
                {str(key): value for key, value in message.get("Attributes", {}).items()},
            )
            for message in answer.get("Messages", [])
        ]

    def delete(self, receipt: str) -> None:
        """Delete a message that was received; one that somebody else has taken since stays."""
        try:
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _RECEIPT_OLD:
                raise

    def depth(self) -> dict[str, int]:
        """Count messages, approximately: `visible`, `in_flight`, `delayed`."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )["Attributes"]
        return {
            "visible": int(answer["ApproximateNumberOfMessages"]),
            "in_flight": int(answer["ApproximateNumberOfMessagesNotVisible"]),
            "delayed": int(answer["ApproximateNumberOfMessagesDelayed"]),
        }


def _text(body: Mapping[str, Any]) -> str:
    # ASCII, because SQS takes only the characters of XML 1.0: U+FFFF in a merchant's metadata
    # would be refused. Inside JSON an escape is the same character.
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))


def _chunks(texts: Sequence[str]) -> Iterator[dict[int, str]]:
    chunk: dict[int, str] = {}
    size = 0
    for position, text in enumerate(texts):
        length = len(text.encode())
        if chunk and (len(chunk) == BATCH_MESSAGES or size + length > BATCH_BYTES):
            yield chunk
            chunk, size = {}, 0
        chunk[position] = text
        size += length
    if chunk:
        yield chunk
