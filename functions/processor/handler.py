"""Lambda on the payments queue: the gateway step of each payment, side by side."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from riel.app import App
from riel.observability import logger, metrics
from riel.services.batches import Batches
from riel.services.process_payment import GiveBackError, Step, process_payment

BACK_OFF_SECONDS = 1
_app = App.from_environment()


def _process(body: Any, record: SQSRecord) -> str:
    receives = int(record.attributes.approximate_receive_count)
    try:
        return process_payment(_app, Step.read(body), receives)
    except GiveBackError as held:
        _app.payments_queue.give_back(record.receipt_handle, held.seconds)
        raise
    except Exception:
        # Sooner than the queue's own timeout, which is made for workers that died.
        _app.payments_queue.give_back(record.receipt_handle, BACK_OFF_SECONDS * receives)
        raise


# A step is at most one look-up and one charge.
_batches = Batches(_process, seconds_needed=2 * _app.config.gateway_timeout_seconds)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch of payments; the answer is a partial batch response."""
    started = time.monotonic()
    answer = _batches.run(event, context)
    seconds_left = context.get_remaining_time_in_millis() / 1000
    _app.backlog_meter.after_batch(len(event["Records"]), time.monotonic() - started, seconds_left)
    return answer
