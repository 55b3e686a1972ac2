"""What carries events to functions: SQS pollers, the stream's poller, the schedule.

They follow the documentation of event source mappings. What becomes of a batch of the stream is
decided by the same code that decides it on the local stage.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.event_filter import passes
from infra.local.failure_record import failure_record
from infra.local.stream_decisions import (
    Batch,
    Decision,
    Discarded,
    Failed,
    Outcome,
    Record,
    decide,
    interpret,
    split_expired,
)
from infra.simulation.deployment import QueueMapping, StreamMapping
from infra.simulation.dynamodb import Change
from infra.simulation.faults import Call, Fault, Target
from infra.simulation.functions import Functions, Invocation
from infra.simulation.kernel import Kernel
from infra.simulation.sqs import Message, Sqs, attributes
from infra.simulation.stream import ARN, KeptStream

GATHER_SECONDS = 0.02
"""Messages that come within it may come in one batch."""
STREAM_SECONDS = 0.1
FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 5.0
SHARDS = 2

Between = Callable[[Call], Fault | None]


class QueuePoller:
    """Takes one queue's messages to its function, so many batches at once."""

    def __init__(
        self,
        kernel: Kernel,
        sqs: Sqs,
        functions: Functions,
        mapping: QueueMapping,
        between: Between,
    ) -> None:
        self._kernel = kernel
        self._sqs = sqs
        self._functions = functions
        self._mapping = mapping
        self._between = between
        self._running = 0
        self._wakes_at = float("inf")
        sqs.queues[mapping.queue].when_sent = self._wake

    def _wake(self, at: float) -> None:
        # Batches are cut by chance: who comes together depends on when they are gathered.
        at = max(at, self._kernel.now)
        wait = GATHER_SECONDS * self._kernel.draw("gather", self._mapping.queue, at)
        if at + wait < self._wakes_at:
            self._wakes_at = at + wait
            self._kernel.at(self._wakes_at, self._poll)

    def _poll(self) -> None:
        if self._wakes_at > self._kernel.now:
            return
        self._wakes_at = float("inf")
        while self._running < self._mapping.max_concurrency:
            taken = self._sqs.receive(self._mapping.queue, self._mapping.batch_size)
            if not taken:
                break
            self._begin(taken)
        upcoming = self._sqs.next_visible(self._mapping.queue)
        if upcoming is not None and self._running < self._mapping.max_concurrency:
            self._wake(upcoming)

    def _begin(self, taken: list[Message]) -> None:
        name = f"{self._mapping.function.rpartition('-')[2]}({_about(taken[0])})"
        records = [self._record(message) for message in taken]
        receipts = {message.message_id: message.receipt for message in taken}
        if self._between(self._call(f"receive {name}", Target.RECEIVE)) is Fault.DUPLICATED:
            self._show_again(taken)
        self._running += 1
        invocation = self._functions.invoke(self._mapping.function, {"Records": records}, name)
        invocation.when_done(lambda: self._end(invocation, receipts))

    def _show_again(self, taken: list[Message]) -> None:
        # At least once: another server of the queue had not heard of this receive.
        for message in taken:
            message.visible_at = self._kernel.now
        self._wake(self._kernel.now)

    def _end(self, invocation: Invocation, receipts: Mapping[str, str]) -> None:
        self._running -= 1
        failed = set(receipts) if invocation.failure else _failed(invocation.answer, receipts)
        done = [receipt for name, receipt in receipts.items() if name not in failed]
        fault = (
            self._between(self._call(f"delete {invocation.name}", Target.DELETE)) if done else None
        )
        for receipt in done if fault is None else ():
            self._sqs.delete(self._mapping.queue, receipt)
        upcoming = self._sqs.next_visible(self._mapping.queue)
        if upcoming is not None:
            self._wake(upcoming)

    def _record(self, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.message_id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": attributes(message),
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{self._mapping.queue}",
            "awsRegion": "us-east-1",
        }

    def _call(self, name: str, target: Target) -> Call:
        return Call(
            self._kernel.unique(name), target, target.value, self._mapping.queue, True, False
        )


class StreamPoller:
    """Takes the stream's records to the relay: in order for one item, one batch of a shard at once.

    Records of one transaction lie in shards of chance, so they come in any order.
    """

    def __init__(
        self,
        kernel: Kernel,
        sqs: Sqs,
        functions: Functions,
        mapping: StreamMapping,
        between: Between,
    ) -> None:
        self._kernel = kernel
        self._sqs = sqs
        self._functions = functions
        self._mapping = mapping
        self._between = between
        self._pending: list[deque[Batch]] = [deque() for _ in range(SHARDS)]
        self._fresh: list[list[Record]] = [[] for _ in range(SHARDS)]
        self._is_busy = [False] * SHARDS
        self.kept = KeptStream()
        self.on_relayed: Callable[[list[Mapping[str, Any]]], None] = lambda _images: None

    @property
    def is_idle(self) -> bool:
        """Whether everything was delivered or given up."""
        return not (any(self._pending) or any(self._fresh) or any(self._is_busy))

    def take(self, change: Change) -> None:
        """Take a change of the table into the stream."""
        record = _record(change)
        shard = int(self._kernel.draw("shard", str(change.keys)) * SHARDS)
        self.kept.keep(_shard_id(shard), record)
        if not passes(record, self._mapping.settings.patterns):
            return
        self._fresh[shard].append(record)
        wait = STREAM_SECONDS * self._kernel.draw("stream", change.sequence_number)
        self._kernel.after(wait, lambda: self._deliver(shard))

    def _deliver(self, shard: int) -> None:
        if self._is_busy[shard]:
            return
        pending, fresh = self._pending[shard], self._fresh[shard]
        if not pending and fresh:
            size = self._mapping.settings.batch_size
            self._fresh[shard] = fresh[size:]
            pending.append(Batch(tuple(fresh[:size])))
        if pending:
            self._deliver_first(shard, pending)

    def _deliver_first(self, shard: int, pending: deque[Batch]) -> None:
        settings = self._mapping.settings
        expired, batch = split_expired(pending.popleft(), self._kernel.now, settings)
        if expired is not None:
            self._give_up(shard, expired)
        if batch is None:
            self._kernel.after(0, lambda: self._deliver(shard))
            return
        self._is_busy[shard] = True
        name = f"relay({_event_of(batch.records[0])})"
        invocation = self._functions.invoke(
            self._mapping.function, {"Records": list(batch.records)}, name
        )
        invocation.when_done(lambda: self._end(shard, batch, invocation))

    def _end(self, shard: int, batch: Batch, invocation: Invocation) -> None:
        self._is_busy[shard] = False
        settings = self._mapping.settings
        outcome: Outcome = Failed(invocation.failure)
        if not invocation.failure:
            outcome = interpret(invocation.answer, batch, settings)
        name = self._kernel.unique(f"checkpoint {invocation.name}")
        call = Call(name, Target.CHECKPOINT, "checkpoint", self._mapping.function, True, False)
        if self._between(call) is not None:
            # The shard's next reader begins at the last checkpoint: the same batch again.
            self._pending[shard].appendleft(batch)
        else:
            decision = decide(batch, outcome, settings)
            if decision.discarded is not None:
                self._give_up(shard, decision.discarded)
            self.on_relayed(_done(batch, decision))
            self._pending[shard].extendleft(reversed(decision.next_batches))
        retries = self._pending[shard][0].retries if self._pending[shard] else 0
        wait = min(FIRST_RETRY_SECONDS * 2**retries, LONGEST_RETRY_SECONDS)
        self._kernel.after(wait, lambda: self._deliver(shard))

    def _give_up(self, shard: int, discarded: Discarded) -> None:
        record = failure_record(
            discarded,
            function_arn=self._mapping.function,
            stream_arn=ARN,
            shard_id=_shard_id(shard),
            now=self._kernel.now,
        )
        self._sqs.send(self._mapping.settings.on_failure_arn, json.dumps(record))


class Schedule:
    """Starts the sweeper by the clock; like EventBridge, at least once, or not at all."""

    def __init__(
        self,
        kernel: Kernel,
        functions: Functions,
        function: str,
        seconds: float,
        between: Between,
    ) -> None:
        self._kernel = kernel
        self._functions = functions
        self._function = function
        self._seconds = seconds
        self._between = between
        self.runs = 0

    def start(self) -> None:
        """Begin; the first run comes after a part of the period that is left to chance."""
        self._kernel.after(self._seconds * (0.2 + 0.6 * self._kernel.draw("schedule")), self._run)

    def _run(self) -> None:
        self._kernel.after(self._seconds, self._run)
        name = self._kernel.unique("sweep")
        fault = self._between(Call(name, Target.SCHEDULE, "invoke", self._function, True, False))
        times = {Fault.REFUSED: 0, Fault.DUPLICATED: 2}.get(fault, 1) if fault else 1
        for _ in range(times):
            self.runs += 1
            self._functions.invoke(self._function, {}, name)


def _shard_id(shard: int) -> str:
    return f"shard-{shard}"


def _done(batch: Batch, decision: Decision) -> list[Mapping[str, Any]]:
    """Return the new images of the records that neither come again nor were given up."""
    others = [*decision.next_batches, *([decision.discarded.batch] if decision.discarded else [])]
    left = {record["eventID"] for other in others for record in other.records}
    return [r["dynamodb"]["NewImage"] for r in batch.records if r["eventID"] not in left]


def _failed(answer: Any, receipts: Mapping[str, str]) -> set[str]:
    """Return which messages a partial batch response names; a broken one fails them all."""
    if answer is None:
        return set()
    try:
        failed = {entry["itemIdentifier"] for entry in answer.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return set(receipts)
    return failed if failed <= set(receipts) else set(receipts)


def _record(change: Change) -> Record:
    record: dict[str, Any] = {
        "eventID": str(change.sequence_number),
        "eventName": change.event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": change.at,
            "Keys": change.keys,
            "SequenceNumber": str(change.sequence_number),
            "StreamViewType": "NEW_IMAGE",
        },
    }
    if change.new is not None:
        record["dynamodb"]["NewImage"] = change.new
    if change.by_ttl:
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return record


def _about(message: Message) -> str:
    """Say in a word what a message is about, so that its work has the same name in each run."""
    body = json.loads(message.body)
    names = ("inbox_id", "refund_id", "event_id", "payment_id")
    about = next((body[name] for name in names if body.get(name)), message.message_id)
    rest = [str(body[name]) for name in ("waits", "look", "turn") if body.get(name)]
    return ".".join([str(about)[:12], *rest, f"r{message.receives}"])


def _event_of(record: Record) -> str:
    return str(record["dynamodb"]["NewImage"].get("event_id", {}).get("S", "?"))[:12]
