"""Merchants: who calls (`authenticate`), and the one that a local stage is born with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riel.errors import UnauthorizedError
from riel.ids import api_key_hash
from riel.store.merchants import ApiKey, Merchant

if TYPE_CHECKING:
    from riel.app import App

LIVE_PREFIX = "sk_live_"
MAX_API_KEY_LENGTH = 255


def authenticate(app: App, api_key: str | None) -> ApiKey:
    """Say whose key this is; raises UnauthorizedError without saying what is wrong with it."""
    if not api_key or len(api_key) > MAX_API_KEY_LENGTH or not api_key.isascii():
        raise UnauthorizedError("send your API key in the X-API-Key header")
    found = app.merchants.find_key(api_key_hash(api_key))
    if found is None:
        raise UnauthorizedError("the API key in X-API-Key is unknown or revoked")
    return found


def seed_merchant(
    app: App, *, merchant_id: str, name: str, api_key: str, webhook_secret: str
) -> Merchant:
    """Write a merchant with a known key and secret; writing it again changes nothing."""
    merchant = Merchant(merchant_id, name, (webhook_secret,))
    app.merchants.put(merchant, api_key_hash(api_key), api_key.startswith(LIVE_PREFIX))
    return merchant
