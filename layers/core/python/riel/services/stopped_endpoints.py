"""Endpoints that get nothing any more: which they are, and how one is opened again by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from riel.errors import NotFoundError, StoreUnavailableError
from riel.ids import endpoint_id
from riel.store.endpoints import Endpoint
from riel.store.keys import OUTBOX_LIFE, STOPPED_ENDPOINTS
from riel.webhooks.schedule import longest_life

if TYPE_CHECKING:
    from riel.app import App

MAX_ENDPOINTS = 1_000
"""How many are listed at most."""
MAX_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class StoppedEndpoints:
    """Each merchant's, the longest stopped first. `has_more` tells that not all are listed."""

    endpoints: list[Endpoint]
    has_more: bool


def list_stopped(app: App, merchant_id: str = "") -> StoppedEndpoints:
    """Read the stopped endpoints of all merchants, or of one; may lag by seconds."""
    prefix = f"{merchant_id}#" if merchant_id else ""
    waiting = app.due.waiting(STOPPED_ENDPOINTS, MAX_ENDPOINTS + 1, prefix)
    # The index's entry is keyed by the endpoint's own id.
    found = (app.endpoints.read(entry.payment_id) for entry in waiting[:MAX_ENDPOINTS])
    stopped = [endpoint for endpoint in found if endpoint and endpoint.is_stopped]
    return StoppedEndpoints(stopped, has_more=len(waiting) > MAX_ENDPOINTS)


def count_stopped(app: App) -> int:
    """Count the stopped endpoints; may lag by seconds."""
    return app.due.count(STOPPED_ENDPOINTS)


def missed_since(endpoint: Endpoint, retry_seconds: Sequence[int], now: datetime) -> datetime:
    """When the oldest event can have happened that a stopped endpoint has missed and that is kept.

    Not the stop: what waited for its next attempt then is as old as a delivery can become.
    """
    since = endpoint.failing_since or endpoint.stopped_at or now
    return max(since - longest_life(retry_seconds), now - OUTBOX_LIFE)


def resume_endpoint(app: App, merchant_id: str, url: str) -> Endpoint:
    """Open a stopped endpoint again; return it as it was.

    Workers know of it within their cache's 30 seconds. Raises NotFoundError when it is not
    stopped, and StoreUnavailableError.
    """
    for _ in range(MAX_ROUNDS):
        endpoint = app.endpoints.read(endpoint_id(merchant_id, url))
        if endpoint is None or not endpoint.is_stopped:
            raise NotFoundError("no such endpoint is stopped")
        if app.endpoints.save(endpoint, Endpoint(merchant_id, url)):
            return endpoint
    raise StoreUnavailableError("the endpoint is contended")
