"""Logs and metrics, by Powertools: one JSON line per log, EMF metrics with few dimensions.

No request body, key, token, card number or CLABE goes into a log: callers pass ids and codes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

# On Lambda the root logger is at INFO, and httpx logs every URL there: a merchant's path or query
# can hold a token.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

logger = Logger()
metrics = Metrics(namespace="Riel")


def count(name: str, value: int = 1) -> None:
    """Add to a counter; the name is in the past tense (`PaymentCompleted`)."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def measure_seconds(name: str, value: float) -> None:
    """Tell a span of time, measured now; the name ends in its unit (`SweeperLagSeconds`)."""
    metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=value)


@contextmanager
def about(**keys: str) -> Iterator[None]:
    """Add keys (`payment_id=…`) to every log line inside the block."""
    logger.append_keys(**keys)
    try:
        yield
    finally:
        logger.remove_keys(list(keys))
