"""Reads a table's stream for one function: stands in for Lambda's poller of DynamoDB streams.

The engine's own poller loses records: it ignores partial failures, bisecting, the retry limit,
the batching window and the on-failure destination. This one obeys the settings of the deployed
mapping; what it decides after an invocation is in `stream_decisions`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.aws import Aws
from infra.local.event_filter import passes
from infra.local.failure_record import failure_record
from infra.local.stream_decisions import (
    Batch,
    Discarded,
    Failed,
    NotInvoked,
    Outcome,
    Record,
    StreamSettings,
    decide,
    interpret,
    sequence_number,
    split_expired,
    written_at,
)
from infra.local.stream_records import lambda_payload, lambda_record

logger = logging.getLogger(__name__)

# AWS polls four times a second; here a payment should move while a person watches.
_BUSY_POLL_SECONDS: Final = 0.02
_IDLE_POLL_SECONDS: Final = 0.1
_IDLE_AFTER_POLLS: Final = 100
_FIRST_RETRY_SECONDS: Final = 0.1
_LONGEST_RETRY_SECONDS: Final = 5.0
# GetRecords returns at most 1,000 records or 1 MB, an invocation takes at most 6 MB.
_MOST_RECORDS_PER_READ: Final = 1000
_MOST_READS_PER_BATCH: Final = 5

AgeObserver = Callable[[str, float], None]


class ShardReader:
    """A position in one shard that only moves forward."""

    def __init__(self, aws: Aws, stream_arn: str, shard_id: str, starting_position: str) -> None:
        self.shard_id = shard_id
        self._aws = aws
        self._stream_arn = stream_arn
        self._starting_position = starting_position
        self._last_read = ""
        self._iterator = self._new_iterator()

    def read(self, limit: int) -> list[Record]:
        """Return the next records in order, at most `limit` of them."""
        try:
            page = self._aws.streams.get_records(
                ShardIterator=self._iterator, Limit=min(limit, _MOST_RECORDS_PER_READ)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            self._iterator = self._new_iterator()
            return []
        self._iterator = page.get("NextShardIterator") or self._iterator
        records = [lambda_record(record, self._stream_arn) for record in page["Records"]]
        if records:
            self._last_read = sequence_number(records[-1])
        return records

    def _new_iterator(self) -> str:
        position: dict[str, Any] = {"ShardIteratorType": self._starting_position}
        if self._last_read:
            position = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": self._last_read,
            }
        answer = self._aws.streams.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=self.shard_id, **position
        )
        return answer["ShardIterator"]


class StreamPoller:
    """Delivers one shard to one function, in order, one batch at a time."""

    def __init__(
        self, aws: Aws, mapping: Mapping[str, Any], shard_id: str, observe_age: AgeObserver
    ) -> None:
        self.settings = StreamSettings.from_mapping(mapping)
        self._aws = aws
        self._function_arn: str = mapping["FunctionArn"]
        self._function_name = self._function_arn.split(":")[6]
        self._stream_arn: str = mapping["EventSourceArn"]
        self._reader = ShardReader(aws, self._stream_arn, shard_id, self.settings.starting_position)
        self._observe_age = observe_age
        self._pending: deque[Batch] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"stream-{self._function_name}", daemon=True
        )

    def start(self) -> None:
        """Begin to poll in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch under way; what is not done is not checkpointed."""
        self._stopping.set()
        self._thread.join(timeout=2)

    def is_alive(self) -> bool:
        """Say whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        empty_polls = 0
        while not self._stopping.is_set():
            try:
                worked = self.poll_once()
            except (BotoCoreError, ClientError) as error:
                # The engine is busy or ending; nothing was checkpointed, so nothing is lost.
                logger.warning("stream of %s: %s", self._function_name, error)
                self._stopping.wait(_IDLE_POLL_SECONDS)
                continue
            empty_polls = 0 if worked else empty_polls + 1
            if not worked:
                is_idle = empty_polls > _IDLE_AFTER_POLLS
                self._stopping.wait(_IDLE_POLL_SECONDS if is_idle else _BUSY_POLL_SECONDS)

    def poll_once(self) -> bool:
        """Deliver one batch if there is one; say whether there was."""
        if not self._pending and (records := self._gather()):
            self._pending.append(Batch(tuple(records)))
        if not self._pending:
            return False
        self._deliver(self._pending[0])
        return True

    def _gather(self) -> list[Record]:
        """Read until the batch is full or its window has passed since the first record."""
        gathered = self._read_matching(self.settings.batch_size)
        deadline = time.monotonic() + self.settings.window_seconds
        reads = 1
        while 0 < len(gathered) < self.settings.batch_size and reads < _MOST_READS_PER_BATCH:
            if not self._wait_for_more(deadline):
                break
            more = self._read_matching(self.settings.batch_size - len(gathered))
            reads += bool(more)
            gathered += more
        return gathered

    def _read_matching(self, limit: int) -> list[Record]:
        records = self._reader.read(limit)
        return [record for record in records if passes(record, self.settings.patterns)]

    def _wait_for_more(self, deadline: float) -> bool:
        remaining = deadline - time.monotonic()
        return remaining > 0 and not self._stopping.wait(min(remaining, _BUSY_POLL_SECONDS))

    def _deliver(self, batch: Batch) -> None:
        expired, fresh = split_expired(batch, time.time(), self.settings)
        if expired is not None:
            self._give_up(expired)
            self._replace_first(() if fresh is None else (fresh,))
            return
        self._observe_age(self._function_name, time.time() - written_at(batch.records[-1]))
        outcome = self._invoke(batch)
        decision = decide(batch, outcome, self.settings)
        if decision.discarded is not None:
            self._give_up(decision.discarded)
        self._replace_first(decision.next_batches)
        if decision.next_batches:
            self._pause_before_retry(decision.next_batches[0])

    def _replace_first(self, batches: tuple[Batch, ...]) -> None:
        """Put what is left of the first batch in its place: newer records wait behind it."""
        self._pending.popleft()
        self._pending.extendleft(reversed(batches))

    def _pause_before_retry(self, batch: Batch) -> None:
        doubled = _FIRST_RETRY_SECONDS * 2 ** min(batch.retries, 10)
        self._stopping.wait(min(doubled, _LONGEST_RETRY_SECONDS))

    def _invoke(self, batch: Batch) -> Outcome:
        try:
            answer = self._aws.functions.invoke(
                FunctionName=self._function_arn, Payload=lambda_payload(batch.records)
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s was not invoked: %s", self._function_name, error)
            return NotInvoked()
        payload = answer["Payload"].read()
        if error_kind := answer.get("FunctionError"):
            return Failed(error_kind)
        try:
            return interpret(json.loads(payload or b"null"), batch, self.settings)
        except ValueError:
            return Failed()

    def _give_up(self, discarded: Discarded) -> None:
        """Send the position of a batch to the on-failure destination, a queue."""
        record = failure_record(
            discarded,
            function_arn=self._function_arn,
            stream_arn=self._stream_arn,
            shard_id=self._reader.shard_id,
            now=time.time(),
        )
        logger.warning("%s gave up: %s", self._function_name, json.dumps(record))
        if self.settings.on_failure_arn:
            name = self.settings.on_failure_arn.rsplit(":", 1)[-1]
            url = self._aws.queues.get_queue_url(QueueName=name)["QueueUrl"]
            self._aws.queues.send_message(QueueUrl=url, MessageBody=json.dumps(record))
