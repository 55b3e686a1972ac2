"""Lambda on the outbox's stream: publishes inserted events, names the lowest that failed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from riel.app import App
from riel.observability import logger, metrics
from riel.services.relay_events import relay_records

_app = App.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Relay a batch of stream records; the answer is a partial batch response."""
    failed = relay_records(_app, event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}
