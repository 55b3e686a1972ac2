"""Lambda on the gateways' queues: the steps of payments, refunds and PSPs' events, side by side."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from riel.app import App
from riel.observability import logger, metrics
from riel.services.batches import Batches
from riel.services.process_gateway_event import InboxStep, process_gateway_event
from riel.services.process_payment import GiveBackError, Step, process_payment
from riel.services.process_refund import RefundStep, process_refund

BACK_OFF_SECONDS = 1
_app = App.from_environment()


def _process(body: Any, record: SQSRecord) -> str:
    receives = int(record.attributes.approximate_receive_count)
    try:
        return _step(body, receives)
    except GiveBackError as held:
        _give_back(record, held.seconds)
        raise
    except Exception:
        # Sooner than the queue's own timeout, which is made for workers that died.
        _give_back(record, BACK_OFF_SECONDS * receives)
        raise


def _step(body: Any, receives: int) -> str:
    fields = body if isinstance(body, dict) else {}
    if "inbox_id" in fields:
        return process_gateway_event(_app, InboxStep.read(body), receives)
    if "refund_id" in fields:
        return process_refund(_app, RefundStep.read(body), receives)
    return process_payment(_app, Step.read(body), receives)


def _give_back(record: SQSRecord, seconds: int) -> None:
    queue = _app.queue_named(record.event_source_arn.rpartition(":")[2])
    if queue is not None:
        queue.give_back(record.receipt_handle, seconds)


# A step is at most one look-up and one charge, or the like.
_batches = Batches(_process, seconds_needed=2 * _app.config.gateway_timeout_seconds)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch of one queue; the answer is a partial batch response."""
    started = time.monotonic()
    answer = _batches.run(event, context)
    seconds_left = context.get_remaining_time_in_millis() / 1000
    _app.backlog_meter.after_batch(len(event["Records"]), time.monotonic() - started, seconds_left)
    return answer
