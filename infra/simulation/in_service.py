"""A stage that has been in service: what its sweeper has seen lies behind it.

The first sweep of a new stage looks through the last quarter of an hour, some hundred reads of
nothing. That is one scenario's business, and not that of every run.
"""

from __future__ import annotations

from datetime import timedelta

from riel.app import App
from riel.store.outbox import Place


def set_watermarks(app: App) -> None:
    """Put each lane of the sweeper where it would be if it had run until now."""
    gateways = [app.gateway_queue(gateway) for gateway in app.config.gateway_queues]
    queues = {queue.name for queue in (app.webhooks_queue, app.payments_queue, *gateways)}
    for age_seconds in app.config.sweep_ages_seconds:
        until = app.clock() - timedelta(seconds=age_seconds)
        place = Place(until.replace(second=0, microsecond=0))
        seen = app.watermarks.get(age_seconds)
        app.watermarks.move(age_seconds, seen, dict.fromkeys(sorted(queues), place))
