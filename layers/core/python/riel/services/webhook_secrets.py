"""The secrets by which a merchant's webhooks are signed, decrypted and remembered for a while."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from riel.errors import StoreUnavailableError
from riel.observability import count
from riel.store.expiring_cache import ExpiringCache
from riel.store.merchants import SealedSecret
from riel.webhooks import signing

if TYPE_CHECKING:
    from riel.app import App
    from riel.store.merchants import Merchant

CACHE_SECONDS = 300
"""For so long a decrypted secret stays in memory; when it ends is judged each time."""
CACHE_ENTRIES = 1_000
_SECRET_BYTES = 32


class WebhookSecrets:
    """What this environment knows of merchants' webhook secrets. Safe between threads."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._opened: ExpiringCache[str] = ExpiringCache(CACHE_ENTRIES, CACHE_SECONDS)

    def of(self, merchant: Merchant) -> tuple[str, ...]:
        """Secrets that count now, the newest first; raises UnavailableError.

        Costs one Decrypt for each that is not remembered.
        """
        try:
            return self._read(merchant)
        except StoreUnavailableError:
            count("WebhookSecretsNotRead")
            raise

    def _read(self, merchant: Merchant) -> tuple[str, ...]:
        now = self._app.clock()
        live = [secret for secret in merchant.webhook_secrets if secret.is_live(now)]
        if not live:
            # Rather late than unsigned.
            raise StoreUnavailableError(f"{merchant.merchant_id} has no webhook secret")
        return tuple(self._open(secret.sealed, merchant.merchant_id, now) for secret in live)

    def _open(self, sealed: str, merchant_id: str, now: datetime) -> str:
        # By merchant too: a text copied into another's item must not be found here already open.
        known_by = f"{merchant_id} {sealed}"
        opened = self._opened.get(known_by, now)
        if opened is None:
            opened = self._app.secret_box.open(sealed, merchant_id)
            self._opened.put(known_by, opened, now)
        return opened


def new_secret() -> str:
    """Make a random secret in the form of Standard Webhooks."""
    return signing.PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def seal_secret(app: App, merchant_id: str, secret: str, now: datetime) -> SealedSecret:
    """Seal a secret as a merchant's item keeps it; raises StoreUnavailableError."""
    return SealedSecret(app.secret_box.seal(secret, merchant_id), now)
