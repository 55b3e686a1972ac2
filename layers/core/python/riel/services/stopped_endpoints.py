"""Endpoints that get nothing any more: which they are, and how one is opened again by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.errors import NotFoundError, StoreUnavailableError
from riel.ids import endpoint_id
from riel.store.endpoints import Endpoint
from riel.store.keys import STOPPED_ENDPOINTS

if TYPE_CHECKING:
    from riel.app import App

MAX_ENDPOINTS = 1_000
"""How many are listed at most, the longest stopped first."""
MAX_ROUNDS = 3


def list_stopped(app: App, merchant_id: str = "") -> list[Endpoint]:
    """Read the stopped endpoints, the longest stopped first; may lag by seconds."""
    waiting = app.due.waiting(STOPPED_ENDPOINTS, MAX_ENDPOINTS)
    # The index's entry is keyed by the endpoint's own id.
    found = (app.endpoints.read(entry.payment_id) for entry in waiting)
    return [
        endpoint
        for endpoint in found
        if endpoint and endpoint.is_stopped and merchant_id in ("", endpoint.merchant_id)
    ]


def count_stopped(app: App) -> int:
    """Count the stopped endpoints; may lag by seconds."""
    return app.due.count(STOPPED_ENDPOINTS)


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
