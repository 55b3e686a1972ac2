"""Lambda behind the HTTP API: everything that carries a merchant's API key, and /health."""

from __future__ import annotations

import gc
from typing import Any

# What a cold start imports stays; looking for garbage in it took a tenth of the start.
gc.disable()

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api.routes import build
from riel.app import App
from riel.observability import logger, metrics

_app = App.from_environment()
_resolver = build(_app)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway request (payload format 2.0)."""
    return _resolver.resolve(event, context)


gc.freeze()
gc.enable()
