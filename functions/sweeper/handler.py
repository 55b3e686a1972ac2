"""Lambda by the clock: sends what is due, and publishes again what had no effect."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from riel.app import App
from riel.observability import logger, metrics
from riel.services.sweep import sweep

SPARE_SECONDS = 10.0
"""What the step that runs when the budget ends may still take, before the function is cut off."""
_app = App.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep once; the answer, which nobody waits for, tells what was done."""
    del event  # says only that it is time
    seconds = context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
    done = asdict(sweep(_app, max(seconds, 0)))
    logger.info("swept", extra=done)
    return done
