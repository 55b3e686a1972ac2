"""Says whose API key a request carries: all of it that a function of the API has to import."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from riel.errors import UnauthorizedError
from riel.ids import api_key_hash
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

MAX_API_KEY_LENGTH = 255


def authenticate(app: App, api_key: str | None) -> Caller:
    """Say who calls; raises UnauthorizedError without saying what is wrong with the key.

    Unknown, malformed and revoked keys are not told apart. A revoked key is refused within
    `riel.store.merchants.CACHE_SECONDS` (30); one that was tried before it was created works
    within `UNKNOWN_SECONDS` (5).
    """
    if not api_key or api_key.isspace():
        raise UnauthorizedError("send your API key in the X-API-Key header")
    caller = _find(app, api_key)
    if caller is None:
        raise UnauthorizedError("the API key in X-API-Key is unknown or revoked")
    return caller


def _find(app: App, api_key: str) -> Caller | None:
    if len(api_key) > MAX_API_KEY_LENGTH or not api_key.isascii():
        return None
    key_hash = api_key_hash(api_key)
    owner = app.merchants.find_key(key_hash)
    # The table was asked by the hash, so this holds; where it ever does not, how much of a hash
    # was right must not show in the time that the answer took.
    if owner is None or not hmac.compare_digest(owner.key_hash, key_hash) or owner.is_revoked:
        return None
    merchant = app.merchants.get(owner.merchant_id)
    return Caller(merchant, owner.livemode) if merchant else None
