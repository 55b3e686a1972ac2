"""A batch of queue messages, side by side: one slow or poisonous record stands alone.

All records are begun at once, each in a thread of its own; then Powertools' batch processor asks
for them one after another and keeps the books (which record failed). Nothing is started that can
not end before the function's deadline: it goes back instead. What does not end all the same is
abandoned with its thread, and the next batch gets new ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from riel import threads
from riel.errors import MalformedMessageError
from riel.observability import count, logger

WIDTH = 10
"""As many as one SQS batch holds."""
ANSWER_SECONDS = 1.0
"""Kept from the function's time for the answer."""

_NAMES = ("merchant_id", "payment_id", "refund_id", "inbox_id", "event_id", "traceparent")

Work = Callable[[Any, SQSRecord], str]
"""Does one message, given its body and its record; returns what was done, for the log."""


class Batches:
    """Runs batches of one queue."""

    def __init__(self, work: Work, seconds_needed: float) -> None:
        """`seconds_needed` is the longest that one message may take."""
        self._work = work
        self._seconds_needed = seconds_needed
        self._pool = threads.pool(WIDTH)

    def run(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Do all messages of a batch; the answer is a partial batch response."""
        if not event["Records"]:  # an operator, or a stage that warms its workers up
            return {"batchItemFailures": []}
        # By the record itself, not by its message's id: SQS may put one message into a batch twice.
        works = {
            id(record): self._pool.submit(self._do, SQSRecord(record), context)
            for record in event["Records"]
        }

        def done(record: SQSRecord) -> str:
            # Whoever is not done by then is reported as failed, so that the answer for its
            # siblings is not lost with the function.
            rest = context.get_remaining_time_in_millis() / 1000 - ANSWER_SECONDS
            return works[id(record.raw_event)].result(max(rest, 0))

        # A whole batch that fails is still a batch of failed messages, not a failed function.
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        answer = process_partial_response(event, done, processor, context)
        records = event["Records"]
        if late := [record["messageId"] for record in records if not works[id(record)].done()]:
            self._leave_threads(late)
        return dict(answer)

    def _leave_threads(self, abandoned: list[str]) -> None:
        # Whoever still works there may never end, and the next batch must not wait for it.
        count("MessageAbandoned", len(abandoned))
        logger.error("messages abandoned", extra={"message_ids": abandoned})
        self._pool.shutdown(wait=False)
        self._pool = threads.pool(WIDTH)

    def _do(self, record: SQSRecord, context: LambdaContext) -> str:
        if context.get_remaining_time_in_millis() < self._seconds_needed * 1000:
            count("MessageNotStarted")
            raise TimeoutError("too close to the function's deadline to start")
        about = {"message_id": record.message_id}
        try:
            body = _body(record)
            about |= _names(body)
            done = self._work(body, record)
        except Exception as error:
            about |= {"error": type(error).__name__, "why": str(error)[:200]}
            logger.warning("message failed", extra=about)
            raise
        logger.info("message done", extra={**about, "done": done})
        return done


def _names(body: Any) -> dict[str, str]:
    """What a message is about, for the log: the words that lead through all functions."""
    fields = body if isinstance(body, dict) else {}
    return {name: str(fields[name]) for name in _NAMES if fields.get(name)}


def _body(record: SQSRecord) -> Any:
    try:
        return json.loads(record.body)
    except ValueError as error:
        raise MalformedMessageError("the message is not JSON") from error
