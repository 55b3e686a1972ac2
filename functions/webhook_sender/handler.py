"""Lambda on the webhooks queue: one attempt for each message, side by side."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from riel.app import App
from riel.observability import logger, metrics
from riel.services.batches import Batches
from riel.services.deliver_webhook import deliver_webhook
from riel.services.webhook_message import Webhook
from riel.webhooks.sending import DEADLINE_SECONDS

_app = App.from_environment()


def _deliver(body: Any, record: SQSRecord) -> str:
    receives = int(record.attributes.approximate_receive_count)
    return deliver_webhook(_app, Webhook.read(body), receives)


_batches = Batches(_deliver, seconds_needed=DEADLINE_SECONDS)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send a batch of webhooks; the answer is a partial batch response."""
    return _batches.run(event, context)
