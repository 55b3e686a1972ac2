"""Every key of every table.

    table      pk                              sk                       holds
    payments   <payment_id>                    payment                  payment, history inside
    payments   <payment_id>                    delivery#<event_id>      one webhook's attempts
    payments   <endpoint_id>                   endpoint                 a merchant's URL that fails
    payments   <payment_id>                    refund#<refund_id>       refund, history inside
    payments   <reference_id>                  reference                whose the reference is
    payments   <inbox_id>                      inbox                    one event of a PSP, 90 days
    payments   quarantine#<queue>              <message_id>             a dead letter put aside
    payments   index `due`: due#<shard>, <due_at>#<queue>#<payment_id>[#<refund_id>] or <inbox_id>
    payments   index `due`: webhooks#<shard>, <due_at>#webhooks#<merchant>#<payment>#<event>#<turn>
    payments   index `due`: endpoints#stopped, <merchant>#<stopped_at>#<endpoint_id>
    payments   index `due`: inbox#<state>, <received_at>#<inbox_id>: a PSP's event for a person
    payments   index `due`: review#<why>, <since>#<payment_id>[#<refund_id>]: what a person looks at
    payments   index `listing`: <merchant>#<mode>#<shard>, <created_at>#<payment_id>
    outbox     <minute>#<shard>                <at>#<event_id>          one event, for 14 days
    merchants  merchant#<merchant_id>          (none)                   name, secrets, limits, keys
    merchants  key#<sha256 of the API key>     (none)                   whose key, and if revoked
    merchants  switches                        (none)                   kill switches, by name
    limits     bucket#<merchant>#<live|test>   (none)                   a token bucket, one number
    limits     backlog#<gateway>               (none)                   what waits for a gateway
    limits     sweeper#<age>                   (none)                   how far the sweeper is
    limits     host#<merchant>#<host:port>     (none)                   proven to answer, until when
    limits     probe#<merchant>#<new|slow>     (none)                   who tries an unproven host
    idempotency answer#<hash of an id>         (none)                   Powertools' record of a POST

The payment's key is its derived id, so no partition is hot. The listing index takes one keys-only
write per payment, and a partition takes 1,000 of them a second, so a merchant has a shard for each
625 payments a second that it may send: 1 for most, 16 for 10,000. It has no day in it, because
an index's partition may grow without end, and a merchant with few payments would be read day by
empty day. The index of what is due is sparse: only what waits for a time has its keys, so a card
payment that goes well never costs a write there. What is due and waits for a person all the same
has a shard of its own, so that both the sweeper and the person find it. Webhooks that wait have
shards of their own, and a merchant two of them: an endpoint that fails for all of a merchant's
payments delays no look-up, and few other merchants. The outbox is sharded for the listing's reason
and bucketed by minute, so that a range of time can be read by query.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from riel.domain.instants import to_text
from riel.ids import mode, spread

SHARDS = 16
OUTBOX_LIFE = timedelta(days=14)
PAYMENT = "payment"
REFERENCE = "reference"
INBOX = "inbox"
ENDPOINT = "endpoint"
STOPPED_ENDPOINTS = "endpoints#stopped"
WEBHOOKS_QUEUE = "webhooks"
INBOX_QUEUE = "gateway-events"
SWITCHES = "switches"
DUE_SHARDS = 16
MERCHANT_SHARDS = 2
"""Of those for webhooks that are due, how many one merchant's stand in."""
WATCHED_SHARD = 16
"""One more shard of what is due: payments that a person should look at meanwhile."""


def delivery(event_id: str) -> str:
    """Sort key of a webhook delivery, beside its payment."""
    return f"delivery#{event_id}"


def refund(refund_id: str) -> str:
    """Sort key of a refund, beside its payment."""
    return f"refund#{refund_id}"


def quarantine(queue: str) -> str:
    """Partition of a queue's dead letters that were put aside."""
    return f"quarantine#{queue}"


def quarantined_queue(partition: str) -> str:
    """Which queue's partition of dead letters this is."""
    return partition.removeprefix(quarantine(""))


def due_partition(shard: int) -> str:
    """Partition of the index of what is due."""
    return f"due#{shard:02d}"


def due_key(at: datetime, queue: str, *subject: str) -> tuple[str, str]:
    """Partition and sort key in the index of what is due.

    `queue` is where the sweeper sends it: a gateway's name, or `gateway-events` for the inbox.
    """
    shard = spread("#".join(subject), DUE_SHARDS)
    return due_partition(shard), "#".join((to_text(at), queue, *subject))


def webhooks_partition(shard: int) -> str:
    """Partition of the same index for webhooks that wait for their next attempt."""
    return f"webhooks#{shard:02d}"


def webhook_due_key(at: datetime, merchant_id: str, *subject: str) -> tuple[str, str]:
    """Partition and sort key of a webhook that waits.

    A merchant has two neighbouring shards: its own by its id, and half of its webhooks stand in
    the next. One whose endpoint fails for all of its payments fills these two, and stands before
    the others' in them alone; in all sixteen it would stand before everybody's. Two and not one,
    because two in three of those who share a shard with it have their other one free, and the turn,
    part of the subject, changes which: what stands behind in one turn is free of it in another.
    """
    subject = (merchant_id, *subject)
    first = spread(merchant_id, DUE_SHARDS)
    shard = (first + spread("#".join(subject), MERCHANT_SHARDS)) % DUE_SHARDS
    return webhooks_partition(shard), "#".join((to_text(at), WEBHOOKS_QUEUE, *subject))


def stopped_endpoint_key(merchant_id: str, since: datetime, endpoint_id: str) -> tuple[str, str]:
    """Partition and sort key, in the same index, of an endpoint that gets nothing any more.

    By merchant first, so that one's are found however many another has.
    """
    return STOPPED_ENDPOINTS, f"{merchant_id}#{to_text(since)}#{endpoint_id}"


def watched_key(at: datetime, queue: str, *subject: str) -> tuple[str, str]:
    """Partition and sort key of what is due and waits for a person."""
    return due_partition(WATCHED_SHARD), due_key(at, queue, *subject)[1]


def is_due(partition: str) -> bool:
    """Whether the sweeper reads this partition of the index."""
    return partition.startswith("due#")


def review_partition(why: str) -> str:
    """Partition of the same index for what waits for a person alone, by why it does."""
    return f"review#{why}"


def review_key(why: str, since: datetime, *subject: str) -> tuple[str, str]:
    """Partition and sort key of what waits for a person alone."""
    return review_partition(why), "#".join((to_text(since), *subject))


def inbox_partition(state: str) -> str:
    """Partition of the same index for the events of one state that wait for a person."""
    return f"inbox#{state}"


def listing_partition(merchant_id: str, livemode: bool, shard: int) -> str:
    """Partition of the listing index."""
    return f"{merchant_id}#{mode(livemode)}#{shard:02d}"


def listing_key(
    merchant_id: str, livemode: bool, shards: int, created_at: datetime, payment_id: str
) -> tuple[str, str]:
    """Partition and sort key of a payment in the listing index.

    `shards` is the merchant's present number. It only grows, so a payment written under a
    smaller one lies in a shard that is still read.
    """
    shard = spread(payment_id, shards)
    sort_key = f"{to_text(created_at)}#{payment_id}"
    return listing_partition(merchant_id, livemode, shard), sort_key


def outbox_partition(at: datetime, shard: int) -> str:
    """Partition of the outbox: the minute and a shard."""
    return f"{to_text(at)[:16]}#{shard:02d}"


def outbox_key(at: datetime, payment_id: str, event_id: str) -> tuple[str, str]:
    """Partition and sort key of an event in the outbox.

    A payment's events of one minute share a shard, so the later one tells that the first one had
    its effect (see the sweeper).
    """
    return outbox_partition(at, spread(payment_id, SHARDS)), f"{to_text(at)}#{event_id}"


def merchant(merchant_id: str) -> str:
    """Key of a merchant."""
    return f"merchant#{merchant_id}"


def api_key(key_hash: str) -> str:
    """Key of an API key."""
    return f"key#{key_hash}"


def host(merchant_id: str, authority: str) -> str:
    """Key of what is known of a host that a merchant's webhooks go to, by `host:port`."""
    return f"host#{merchant_id}#{authority}"


def probe(merchant_id: str, turn: str) -> str:
    """Key of a merchant's turn to try a host that has not proven that it answers."""
    return f"probe#{merchant_id}#{turn}"
