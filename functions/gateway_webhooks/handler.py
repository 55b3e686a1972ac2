"""Lambda behind the HTTP API's route of the PSPs' events: verify, store once, answer."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.gateway_webhooks.answering import answer
from functions.gateway_webhooks.request import Request
from riel.app import App
from riel.observability import logger, metrics

_app = App.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway request (payload format 2.0)."""
    return answer(_app, Request(event))
