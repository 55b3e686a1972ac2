"""Books of a run by hand: what tests of invariants write in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.simulator.charges import Charge
from functions.simulator.charges import Status as Charged
from infra.simulation.deployment import Deployment
from infra.simulation.dynamodb import Change
from infra.simulation.endpoints import Endpoint, Received
from infra.simulation.invariants.always import check_charges, check_step
from infra.simulation.invariants.books import Books
from infra.simulation.invariants.in_the_end import Ended, check_end
from infra.simulation.kernel import Kernel
from infra.simulation.shops import Accepted, Shop
from infra.simulation.world import World
from riel import ids
from riel.domain.events import Event, payment_created, payment_moved, refund_created
from riel.domain.money import Money
from riel.domain.payment import Applied, Payment, Status, apply
from riel.domain.payment import Change as Wish
from riel.domain.refund import Refund, RefundTransition
from riel.domain.refund import RefundStatus as Stage
from riel.store import keys
from riel.store.deliveries import DELIVERED, Delivery
from riel.store.items import Item, to_item
from riel.store.outbox import put_action
from riel.store.payment_items import write_payment
from riel.webhooks import signing
from tests.builders import NOON, WEBHOOK_SECRET, make_payment

START = NOON.timestamp()


class Stand:
    """Books, and the steps that are entered in them."""

    def __init__(self) -> None:
        self.books = Books("payments", "outbox")
        self.arrived: set[str] = set()
        self._items: dict[tuple[str, str, str], Item] = {}

    def write(self, *items: Item) -> list[str]:
        """Let one call write items; return the names of what that breaks."""
        changes = [self._change(item) for item in items]
        step = self.books.note(changes)
        return [name for name, _ in check_step(self.books, step, self.arrived.__contains__)]

    def _change(self, item: Item) -> Change:
        table = "outbox" if "event_id" in item else "payments"
        key = (table, item["pk"]["S"], item["sk"]["S"])
        old = self._items.get(key)
        self._items[key] = item
        kind = "MODIFY" if old else "INSERT"
        return Change(table, kind, {}, old, item, START, len(self._items))

    def created(self, **fields: Any) -> Payment:
        """A payment that was just accepted."""
        payment = make_payment(**fields)
        assert self.write(write_payment(payment), event_item(payment_created, payment)) == []
        return payment

    def moved(self, payment: Payment, *statuses: Status, **change: Any) -> Payment:
        """The payment a few edges further on."""
        for status in statuses:
            payment = after(payment, status, **change)
            told = [] if status is Status.PROCESSING else [event_item(payment_moved, payment)]
            assert self.write(write_payment(payment), *told) == []
        return payment

    def completed(self) -> Payment:
        """A payment that is paid, and was charged."""
        payment = self.moved(self.created(), Status.PROCESSING)
        self.charged(payment)
        return self.moved(payment, Status.COMPLETED, received_minor=payment.amount.minor)

    def charged(self, payment: Payment, **fields: Any) -> list[str]:
        """Let the PSP charge; return the names of what that breaks."""
        charge = make_charge(payment, **fields)
        changes = [(self.books.charges.get(charge.charge_id), charge)]
        self.books.charges[charge.charge_id] = charge
        return [name for name, _ in check_charges(self.books, changes)]


class End:
    """A run that is quiet, with one shop and one endpoint."""

    def __init__(self, stand: Stand, deployment: Deployment) -> None:
        world = World(deployment, 1)
        self.kernel = Kernel(1, START)
        self.books = stand.books
        self.endpoint = Endpoint("127.0.0.1:9", "demo")
        self.shop = Shop("demo", "key", WEBHOOK_SECRET, self.endpoint, self.kernel, world.edge)
        self.letters: dict[str, list[dict[str, Any]]] = {}

    def broken(self) -> list[str]:
        """Name what does not hold."""
        ended = Ended(self.kernel, self.books, [self.shop], [self.endpoint], self.letters)
        return [name for name, _ in check_end(ended)]

    def receive(self, event: Event, secret: str = WEBHOOK_SECRET, body: bytes = b"") -> None:
        """Let a webhook have come to the endpoint, which said 200."""
        sent = body or event.body.encode()
        headers = signing.headers([secret], event.event_id, NOON, sent)
        self.endpoint.received.append(Received(0.0, headers, sent, 200))


def after(payment: Payment, status: Status, **change: Any) -> Payment:
    applied = apply(payment, Wish(status, NOON, "test", **change))
    assert isinstance(applied, Applied), applied
    return applied.payment


def event_item(make: Callable[[str, Payment], Event], payment: Payment) -> Item:
    return item_of(make(ids.event_id(payment.payment_id, payment.sequence), payment))


def refund_event_item(payment: Payment, refund: Refund) -> Item:
    return item_of(refund_created(ids.event_id(refund.refund_id, 1), payment, refund))


def item_of(event: Event) -> Item:
    item: Item = put_action("outbox", event)["Put"]["Item"]
    return item


def counting(payment: Payment) -> Item:
    """A payment's item with the counts, which refunds alone write."""
    counts = {"reserved_minor": payment.reserved_minor, "refund_count": payment.refund_count}
    return {**write_payment(payment), **to_item(counts)}


def make_refund(payment: Payment, amount: Money | None = None) -> Refund:
    refund_id = ids.refund_id("demo", False, payment.payment_id, "key")
    history = (RefundTransition(1, Stage.PENDING, NOON, "created"),)
    return Refund(
        refund_id,
        payment.payment_id,
        "demo",
        amount or Money(10, "MXN"),
        "f",
        "simulator",
        history,
    )


def make_charge(payment: Payment, **fields: Any) -> Charge:
    minor = payment.amount.minor
    defaults: dict[str, Any] = {
        "idempotency_key": "chg",
        "charge_id": "sim_1",
        "gateway": "simulator",
        "payment_id": payment.payment_id,
        "echo": payment.payment_id,
        "amount": minor,
        "currency": "MXN",
        "method": "card",
        "state": Charged.SUCCEEDED,
        "created_at": "",
        "received": minor,
    }
    return Charge(**{**defaults, **fields})


def delivered(payment: Payment, state: str = DELIVERED, sequence: int = 3) -> Item:
    event_id = ids.event_id(payment.payment_id, sequence)
    delivery = Delivery(
        payment.payment_id, event_id, "demo", "payment.completed", "http://x", NOON, state=state
    )
    fields = {
        "pk": delivery.payment_id,
        "sk": keys.delivery(event_id),
        "merchant_id": "demo",
        "type": delivery.type,
        "url": delivery.url,
        "event_at": "2026-04-17T12:00:00.000Z",
        "state": state,
        "turn": 2,
        "tries": 1,
        "attempts": [],
        "attempt_count": 1,
    }
    return to_item(fields)


def accepted(shop: Shop, payment: Payment, key: str = "") -> Accepted:
    sent = {"amount": str(payment.amount)}
    return Accepted(payment.payment_id, shop, key or payment.idempotency_key, sent, 0.0)
