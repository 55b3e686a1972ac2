"""Which endpoints get webhooks: one that is gone or forbidden, or fails for days, is stopped.

Its deliveries are then recorded as failed at once, without a dead letter for each, because the
endpoint itself is what a person is told of. A delivery that somebody asks for is tried all the
same, and its success opens the endpoint again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.observability import count, logger
from riel.store.endpoints import Endpoint

if TYPE_CHECKING:
    from riel.app import App

FAILING, GONE, FORBIDDEN = "failing", "gone", "forbidden"
"""Why an endpoint was stopped: by its failures of three days, or at once by a single answer."""
STOP_AFTER = timedelta(days=3)
FORGET_AFTER = timedelta(hours=36)
"""Longer than the longest wait of a schedule: failures so far apart are not one failure."""
NOTE_EVERY = timedelta(minutes=1)
"""A write for each failure would make a busy merchant's endpoint a hot item."""
MAX_ROUNDS = 3


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


def note_failure(app: App, endpoint: Endpoint, *, at_once: str = "") -> None:
    """Note a failed attempt, and stop the endpoint when that is the end of it.

    `at_once` is why a single failure is enough for it.
    """
    now = app.clock()
    for _ in range(MAX_ROUNDS):
        after = _failed(endpoint, now, at_once)
        if after == endpoint:
            return
        if app.endpoints.save(endpoint, after):
            if after.is_stopped:
                count("WebhookEndpointStopped")
                logger.error("endpoint stopped", extra={**_about(after), "why": after.why})
            return
        # What it was judged by is no longer so; after a success it has failed only once.
        endpoint = app.endpoints.get(endpoint.merchant_id, endpoint.url)


def _failed(endpoint: Endpoint, now: datetime, at_once: str) -> Endpoint:
    """Return it with one more failure; unchanged where that need not be written."""
    if endpoint.is_stopped:
        return endpoint
    since, last = endpoint.failing_since, endpoint.last_failure_at
    if since is None or last is None or now - last > FORGET_AFTER:
        since = now
    why = at_once or (FAILING if now - since >= STOP_AFTER else "")
    if not why and last is not None and since != now and now - last < NOTE_EVERY:
        return endpoint
    failing = replace(endpoint, failing_since=since, last_failure_at=now)
    return replace(failing, stopped_at=now, why=why) if why else failing


def _about(endpoint: Endpoint) -> dict[str, str]:
    # Never the URL: its path or query may be a secret.
    return {"endpoint_id": endpoint.endpoint_id, "merchant_id": endpoint.merchant_id}
