"""What must hold when all is quiet."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.simulation.endpoints import Endpoint, Received
from infra.simulation.functions import MAX_SKEW_SECONDS
from infra.simulation.invariants.books import Books
from infra.simulation.kernel import Kernel
from infra.simulation.shops import Shop
from riel.domain.events import TOLD_TO_MERCHANTS, Event
from riel.domain.payment import Attention, Payment
from riel.domain.refund import Refund
from riel.services.resolve_payment import CAUSE as RESOLVED
from riel.store.deliveries import DELIVERED, ENDPOINT_STOPPED, FAILED
from riel.store.keys import STOPPED_ENDPOINTS

TOLERANCE_SECONDS = 300
"""Of Standard Webhooks: how far a webhook's timestamp may be from its receiver's clock."""

Found = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is quiet. `letters` are the bodies of all dead letters, by queue.

    `tells_events` says whether the PSP has told of what it did.
    """

    kernel: Kernel
    books: Books
    shops: list[Shop]
    endpoints: list[Endpoint]
    letters: dict[str, list[dict[str, Any]]]
    tells_events: bool = True

    def is_dead(self, about: str) -> bool:
        """Whether a dead letter names it."""
        return any(
            about in map(str, body.values()) for bodies in self.letters.values() for body in bodies
        )


def check_end(ended: Ended) -> Found:
    """Name each invariant that does not hold, and say how."""
    for payment in ended.books.payments.values():
        yield from _money(ended, payment)
        yield from _at_rest(ended, payment)
        yield from _late_money(ended, payment)
        yield from _voucher(ended, payment)
    yield from _refunds(ended)
    yield from _charges_are_known(ended)
    for shop in ended.shops:
        yield from _client(ended, shop)
    for event in ended.books.events.values():
        yield from _told(ended, event)
    for endpoint in ended.endpoints:
        yield from _endpoint(ended, endpoint)
    yield from _stops(ended)
    yield from _inbox(ended)
    yield from _nothing_held(ended)


def check_shift(ended: Ended, since: float) -> Found:
    """Name what an operator's shift has left behind that began before it."""
    # By the clock of whoever wrote it, which may be behind.
    begun = ended.kernel.start + since - MAX_SKEW_SECONDS
    books = ended.books
    subjects: list[Payment | Refund] = [*books.payments.values(), *books.refunds.values()]
    for subject in subjects:
        last = subject.history[-1]
        if last.status == "in_review" and last.at.timestamp() < begun:
            yield "what a person decides is over", f"{subject.payment_id} is in review still"
    for queue, bodies in ended.letters.items():
        if bodies:
            yield "what is sent back ends", f"{len(bodies)} letters in {queue}: {bodies[0]}"


def _at_rest(ended: Ended, payment: Payment) -> Found:
    if payment.is_final or payment.status == "in_review":
        return
    if payment.status == "awaiting_payment":
        # It waits for its payer, and the sweeper looks after it when the voucher has run out.
        if payment.due_at is None:
            yield "no payment is lost", f"{payment.payment_id} waits, and nothing ends that"
    elif not ended.is_dead(payment.payment_id):
        yield "no payment is lost", f"{payment.payment_id} is {payment.status}, and in no queue"


def _late_money(ended: Ended, payment: Payment) -> Found:
    """What came for a canceled payment goes back; should its PSP refuse that, a person sees it."""
    was_canceled = any(str(line.status) == "canceled" for line in payment.history[-2:])
    refunds = ended.books.refunds_of(payment.payment_id)
    has_failed = any(refund.status == "failed" for refund in refunds)
    if was_canceled and payment.received_minor > payment.reserved_minor and not has_failed:
        left = payment.received_minor - payment.reserved_minor
        yield "late money goes back", f"{payment.payment_id} keeps {left}"


def _voucher(ended: Ended, payment: Payment) -> Found:
    """What came for a voucher is noted, and nobody can pay one that was canceled."""
    vouchers = [
        charge
        for charge in ended.books.charges.values()
        if charge.payment_id == payment.payment_id and charge.voucher
    ]
    for charge in vouchers:
        told = f"{payment.payment_id} is {payment.status}"
        is_open = charge.status == "awaiting"
        if payment.status == "canceled" and is_open:
            yield "a canceled voucher is void", f"{told}, and can be paid"
        if ended.tells_events and payment.received_minor != charge.received:
            yield "money is noted", f"{told} with {payment.received_minor} of {charge.received}"
        elif payment.status == "expired" and charge.received and not payment.attention:
            yield "money is noted", f"{told}, and nobody is told that {charge.received} came"


def _money(ended: Ended, payment: Payment) -> Found:
    """What we say of a payment is what happened at its PSP."""
    moved = ended.books.charges_of(payment.payment_id)
    name, told = "the PSP agrees", f"{payment.payment_id} is {payment.status}, "
    if payment.status == "completed":
        if len(moved) != 1:
            yield name, f"{told}and was charged {len(moved)} times"
        elif payment.history[-1].cause != RESOLVED:
            (charge,) = moved
            if (charge.amount, charge.currency) != (payment.amount.minor, payment.amount.currency):
                yield name, f"{told}and {charge.amount} {charge.currency} were charged"
            if charge.gateway != payment.gateway:
                yield name, f"{told}at {payment.gateway}, and was charged at {charge.gateway}"
            if not payment.amount.minor <= payment.received_minor <= charge.received:
                yield name, f"{told}with {payment.received_minor} of {charge.received} received"
    elif payment.status in ("failed", "canceled", "expired", "awaiting_payment") and moved:
        yield name, f"{told}and was charged"


def _refunds(ended: Ended) -> Found:
    made = ended.books.refunds_made()
    for refund in ended.books.refunds.values():
        at_psp = made.pop(refund.refund_id, None)
        told = f"{refund.refund_id} is {refund.status}"
        if refund.status == "completed" and at_psp is None:
            yield "the PSP agrees", f"{told}, and the PSP made none"
        if refund.status == "failed" and at_psp is not None:
            yield "the PSP agrees", f"{told}, and the PSP made it"
        is_by_person = refund.history[-1].cause == RESOLVED
        if refund.status == "completed" and at_psp and not is_by_person:
            yield from _same_amount(refund, at_psp)
        is_open = refund.status in ("pending", "processing")
        if is_open and not ended.is_dead(refund.refund_id):
            yield "no refund is lost", f"{told}, and in no queue"
    for refund_id in made:
        yield "the PSP agrees", f"the PSP made {refund_id}, which nobody asked for"


def _same_amount(refund: Refund, at_psp: Mapping[str, Any]) -> Found:
    if at_psp["amount"] != refund.amount.minor:
        told = f"{refund.refund_id} is over {refund.amount.minor}"
        yield "the PSP agrees", f"{told}, and {at_psp['amount']} went back"


def _charges_are_known(ended: Ended) -> Found:
    for charge in ended.books.charges.values():
        if charge.payment_id not in ended.books.payments:
            yield "the PSP agrees", f"{charge.payment_id} was charged, and does not exist"


def _client(ended: Ended, shop: Shop) -> Found:
    """What a merchant's client was told holds, and is about its own payments alone."""
    for accepted in shop.payments:
        payment = ended.books.payments.get(accepted.payment_id)
        if payment is None:
            yield "no payment is lost", f"{accepted.payment_id} was accepted and does not exist"
        elif (payment.merchant_id, payment.idempotency_key) != (shop.merchant_id, accepted.key):
            yield "a key is one payment", f"{accepted.key} is {payment.idempotency_key}'s"
        elif str(payment.amount) != accepted.sent["amount"]:
            yield "a key is one payment", f"{accepted.payment_id} is over {payment.amount}"
    keys = [accepted.key for accepted in shop.payments]
    for key in sorted({one for one in keys if keys.count(one) > 1}):
        yield "a key is one payment", f"{key} made {keys.count(key)} payments"
    for refund in shop.refunds:
        if refund.refund_id not in ended.books.refunds:
            yield "no refund is lost", f"{refund.refund_id} was accepted and does not exist"
    for payment_id, seen in shop.seen.items():
        yield from _seen(ended, shop, payment_id, seen)
    for what in shop.complaints:
        yield "answers are as agreed", what


def _seen(ended: Ended, shop: Shop, payment_id: str, seen: list[tuple[str, ...]]) -> Found:
    payment = ended.books.payments.get(payment_id)
    if payment is None or payment.merchant_id != shop.merchant_id:
        yield "nobody sees another's", f"{shop.merchant_id} has read {payment_id}"
        return
    history = tuple(str(line.status) for line in payment.history)
    for statuses in seen:
        if history[: len(statuses)] != statuses:
            yield "what was told holds", f"{payment_id} was {statuses}, and is {history}"


def _told(ended: Ended, event: Event) -> Found:
    """Each event for a merchant has arrived, or is visibly dead."""
    if event.type not in TOLD_TO_MERCHANTS or not event.webhook_url:
        return
    arrived = [
        one
        for endpoint in ended.endpoints
        for one in endpoint.received
        if one.headers.get("webhook-id") == event.event_id and 200 <= one.status < 300
    ]
    delivery = ended.books.deliveries.get(event.event_id)
    told = f"{event.type} of {event.payment_id}"
    if delivery is None:
        if not arrived:
            yield "every event is told", f"{told} was never tried"
    elif delivery.state == DELIVERED and not arrived:
        yield "every event is told", f"{told} is delivered, and did not arrive"
    elif delivery.state == FAILED and not arrived:
        if delivery.failure == ENDPOINT_STOPPED:
            if not ended.books.was_stopped(delivery):
                yield "every event is told", f"{told} has failed, and its endpoint was not stopped"
        elif not ended.is_dead(event.event_id):
            yield "every event is told", f"{told} has failed, and no letter says so"
    elif delivery.state not in (DELIVERED, FAILED):
        yield "every event is told", f"{told} is {delivery.state}"


def _stops(ended: Ended) -> Found:
    """Where nothing is sent any more is seen; it ends with an answer of the endpoint's."""
    for stop in ended.books.stops.values():
        told = f"{stop.merchant_id} at {stop.url}"
        if stop.listed != STOPPED_ENDPOINTS:
            yield "a stopped endpoint is seen", told
        address = urlsplit(stop.url).netloc
        got = [one for at in ended.endpoints if at.address == address for one in at.received]
        if stop.is_over and not any(200 <= one.status < 300 for one in got):
            yield "a stop lasts", f"{told} has never taken anything, and is open"


def _endpoint(ended: Ended, endpoint: Endpoint) -> Found:
    """What came to an endpoint is its merchant's own, frozen and signed."""
    shop = next(one for one in ended.shops if one.merchant_id == endpoint.merchant_id)
    for got in endpoint.received:
        event = ended.books.events.get(got.headers.get("webhook-id", ""))
        if event is None:
            yield "webhooks are genuine", f"{endpoint.address} got what is no event"
        elif event.merchant_id != endpoint.merchant_id:
            yield "nobody sees another's", f"{endpoint.address} got {event.event_id}"
        elif got.body != event.body.encode():
            yield "webhooks are genuine", f"{event.event_id} came with another body"
        elif not _is_genuine(got, shop.webhook_secret, ended.kernel.start + got.at):
            yield "webhooks are genuine", f"{event.event_id} is not signed well"


def _is_genuine(got: Received, secret: str, now: float) -> bool:
    """Verify as a merchant does, by the standard's own words and not by the product's code."""
    sent_at = got.headers["webhook-timestamp"]
    if abs(now - int(sent_at)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([got.headers["webhook-id"].encode(), sent_at.encode(), got.body])
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(f"v1,{mac}", one) for one in got.headers["webhook-signature"].split()
    )


def _inbox(ended: Ended) -> Found:
    """What a PSP told has been looked into, or somebody is told that it was not."""
    for entry in ended.books.inbox.values():
        if entry.state == "received" and not entry.due and not ended.is_dead(entry.inbox_id):
            yield "no gateway event is lost", f"{entry.inbox_id} of {entry.payment_id}"


def _nothing_held(ended: Ended) -> Found:
    """No lease runs on, and nothing is due that nobody brings."""
    now = ended.kernel.now
    for (partition, sort_key), until in ended.books.leases.items():
        payment = ended.books.payments.get(partition)
        if until > now * 1000 and payment is not None:
            yield "no lease is held", f"{partition} {sort_key}"
    for payment in ended.books.payments.values():
        is_dead = payment.attention == Attention.DEAD_LETTER
        if payment.due_at and payment.due_at.timestamp() < now and not is_dead:
            yield "nothing is overdue", f"{payment.payment_id} since {payment.due_at}"
