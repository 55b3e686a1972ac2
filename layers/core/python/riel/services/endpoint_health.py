"""Which endpoints get webhooks: one that is gone, or fails for three days, is stopped.

Its deliveries are then recorded as failed at once, without a dead letter for each, because the
endpoint itself is what a person is told of. A delivery that somebody asks for is tried all the
same, and its success opens the endpoint again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from riel.observability import count, logger
from riel.store.endpoints import Endpoint

if TYPE_CHECKING:
    from riel.app import App

FAILING, GONE = "failing", "gone"
"""Why an endpoint was stopped."""
STOP_AFTER = timedelta(days=3)
FORGET_AFTER = timedelta(hours=36)
"""Longer than the longest wait of a schedule: failures so far apart are not one failure."""
NOTE_EVERY = timedelta(minutes=1)
"""A write for each failure would make a busy merchant's endpoint a hot item."""


def note_success(app: App, endpoint: Endpoint, *, failed_before: bool = False) -> bool:
    """An endpoint works: forget what was held against it; False when others changed it meanwhile.

    `failed_before` says that the same delivery has failed: that is on record then, although
    `endpoint`, which may be 30 seconds old, need not know of it.
    """
    if failed_before:
        endpoint = app.endpoints.read(endpoint.endpoint_id) or endpoint
    if endpoint.failing_since is None and not endpoint.is_stopped:
        return True
    if not app.endpoints.save(endpoint, Endpoint(endpoint.merchant_id, endpoint.url)):
        return False
    if endpoint.is_stopped:
        logger.warning("endpoint opened again", extra=_about(endpoint))
    return True


def note_failure(app: App, endpoint: Endpoint, *, is_gone: bool) -> None:
    """Note a failed attempt, and stop the endpoint when that is the end of it."""
    if endpoint.is_stopped:
        return
    now = app.clock()
    since, last = endpoint.failing_since, endpoint.last_failure_at
    if since is None or last is None or now - last > FORGET_AFTER:
        since = now
    why = GONE if is_gone else FAILING if now - since >= STOP_AFTER else ""
    if not why and last is not None and since != now and now - last < NOTE_EVERY:
        return
    failing = replace(endpoint, failing_since=since, last_failure_at=now)
    if not why:
        app.endpoints.save(endpoint, failing)
        return
    if app.endpoints.save(endpoint, replace(failing, stopped_at=now, why=why)):
        count("WebhookEndpointStopped")
        logger.error("endpoint stopped", extra={**_about(endpoint), "why": why})


def _about(endpoint: Endpoint) -> dict[str, str]:
    # Never the URL: its path or query may be a secret.
    return {"endpoint_id": endpoint.endpoint_id, "merchant_id": endpoint.merchant_id}
