"""A new webhook secret for a merchant, and when the one before it ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riel.domain.instants import to_text
from riel.errors import InvalidStateError
from riel.services.merchants import change_merchant, storable_now
from riel.services.webhook_secrets import new_secret, seal_secret
from riel.store.merchant_records import ApiKey, MerchantRecord

if TYPE_CHECKING:
    from riel.app import App

OVERLAP = timedelta(hours=24)
"""For so long after a rotation webhooks carry a signature by the secret before it, too."""


@dataclass(frozen=True, slots=True)
class NewWebhookSecret:
    """A secret that was just made, shown this once; `both_until` is when the one before it ends.

    None where the one before has ended at once.
    """

    merchant_id: str
    webhook_secret: str = field(repr=False)
    created_at: datetime
    both_until: datetime | None


def rotate_webhook_secret(app: App, merchant_id: str, at_once: bool = False) -> NewWebhookSecret:
    """Give a merchant a new secret; `at_once` ends all others now, as after a leak.

    Raises NotFoundError, StoreUnavailableError, or InvalidStateError while two are live.
    """
    now = storable_now(app)
    webhook_secret = new_secret()
    sealed = seal_secret(app, merchant_id, webhook_secret, now)
    until = None if at_once else now + OVERLAP

    def rotate(record: MerchantRecord) -> tuple[MerchantRecord, ApiKey | None]:
        present = record.merchant.webhook_secrets
        if sealed in present:
            return record, None  # our own write, whose answer was lost
        live = [secret for secret in present if secret.is_live(now)]
        if until is None:
            live = []
        elif ends := [secret.until for secret in live if secret.until]:
            raise InvalidStateError(
                f"{merchant_id} has two live webhook secrets until {to_text(max(ends))}"
            )
        secrets = (sealed, *(replace(secret, until=until) for secret in live))
        return replace(record, merchant=replace(record.merchant, webhook_secrets=secrets)), None

    change_merchant(app, merchant_id, rotate)
    return NewWebhookSecret(merchant_id, webhook_secret, now, until)
