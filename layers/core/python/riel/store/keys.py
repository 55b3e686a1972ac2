"""Every key of every table.

    table      pk                              sk                       holds
    payments   <payment_id>                    payment                  payment, history inside
    payments   <payment_id>                    delivery#<event_id>      one webhook's attempts
    payments   index `listing`: <merchant>#<mode>#<day>#<shard>, <created_at>#<payment_id>
    outbox     <minute>#<shard>                <at>#<event_id>          one event, for 14 days
    merchants  merchant#<merchant_id>          (none)                   name, webhook secrets
    merchants  key#<sha256 of the API key>     (none)                   whose key it is

The payment's key is its derived id, so no partition is hot. The listing index takes one keys-only
write per payment; at 10,000 payments a second of one merchant, 16 shards hold each partition
under DynamoDB's 1,000 writes per second. The outbox is sharded for the same reason and bucketed
by minute, so that a range of time can be read by query.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from riel.domain.instants import to_text
from riel.ids import spread

SHARDS = 16
OUTBOX_LIFE = timedelta(days=14)
PAYMENT = "payment"


def delivery(event_id: str) -> str:
    """Sort key of a webhook delivery, beside its payment."""
    return f"delivery#{event_id}"


def listing_partition(merchant_id: str, livemode: bool, day: str, shard: int) -> str:
    """Partition of the listing index; `day` is `2026-04-17` in UTC."""
    return f"{merchant_id}#{'live' if livemode else 'test'}#{day}#{shard:02d}"


def listing_key(
    merchant_id: str, livemode: bool, created_at: datetime, payment_id: str
) -> tuple[str, str]:
    """Partition and sort key of a payment in the listing index."""
    at = to_text(created_at)
    shard = spread(payment_id, SHARDS)
    return listing_partition(merchant_id, livemode, at[:10], shard), f"{at}#{payment_id}"


def outbox_partition(at: datetime, shard: int) -> str:
    """Partition of the outbox: the minute and a shard."""
    return f"{to_text(at)[:16]}#{shard:02d}"


def outbox_key(at: datetime, event_id: str) -> tuple[str, str]:
    """Partition and sort key of an event in the outbox."""
    return outbox_partition(at, spread(event_id, SHARDS)), f"{to_text(at)}#{event_id}"


def merchant(merchant_id: str) -> str:
    """Key of a merchant."""
    return f"merchant#{merchant_id}"


def api_key(key_hash: str) -> str:
    """Key of an API key."""
    return f"key#{key_hash}"
