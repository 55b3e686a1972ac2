"""What stands in a run's tables and at its PSP, kept up with every change.

Read from what is written, never through a call: an invariant must not see what a reader would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from functions.simulator.charges import Charge
from functions.simulator.charges import RefundStatus as Made
from infra.simulation.dynamodb import Change
from riel.domain.events import CREATED, REFUND_CREATED, Event
from riel.domain.payment import Attention, Payment, Status
from riel.domain.refund import Refund, RefundStatus
from riel.store.deliveries import PENDING, Delivery, read_delivery
from riel.store.items import Item, from_item
from riel.store.keys import ENDPOINT, is_due
from riel.store.outbox import read_event
from riel.store.payment_items import read_payment
from riel.store.refund_items import read_refund

FAR = timedelta(minutes=20)
"""What is due later than this after a run's last act is not waited for: a voucher's day."""
MADE = str(Made.SUCCEEDED)
_AT_ONCE = (Status.PENDING, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A PSP's event as it is stored; `due` is when the sweeper brings it, empty for never."""

    inbox_id: str
    state: str
    payment_id: str
    due: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A merchant's URL that nothing was to be sent to any more; `listed` is where that is found.

    `is_over` says that it gets webhooks again.
    """

    merchant_id: str
    url: str
    listed: str
    is_over: bool = False


@dataclass(slots=True)
class Step:
    """What one call has changed, all at once: each pair is before and after."""

    payments: list[tuple[Payment | None, Payment]] = field(default_factory=list)
    refunds: list[tuple[Refund | None, Refund]] = field(default_factory=list)
    deliveries: list[tuple[Delivery | None, Delivery]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """What was deleted, and by nobody's time to live."""
    rewritten: list[str] = field(default_factory=list)
    """Events that were written over."""

    def told(self) -> Iterator[str]:
        """Say in words what it has changed."""
        for paid_before, paid in self.payments:
            for line in paid.history[len(paid_before.history) if paid_before else 0 :]:
                yield f"{paid.payment_id} is {line.status}"
        for before, refund in self.refunds:
            for entry in refund.history[len(before.history) if before else 0 :]:
                yield f"{refund.refund_id} is {entry.status}"
        for _, delivery in self.deliveries:
            yield f"{delivery.type} {delivery.event_id} is {delivery.state}"

    @property
    def payment_ids(self) -> set[str]:
        """Which payments it is about."""
        return {after.payment_id for _, after in self.payments} | {
            after.payment_id for _, after in self.refunds
        }


@dataclass(slots=True)
class Books:
    """Everything by its id; `payments_table` and `outbox_table` are the tables' names."""

    payments_table: str
    outbox_table: str
    payments: dict[str, Payment] = field(default_factory=dict)
    leases: dict[tuple[str, str], int] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    inbox: dict[str, InboxEntry] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    stops: dict[str, Stop] = field(default_factory=dict)
    _moving: set[str] = field(default_factory=set)

    def note(self, changes: Iterable[Change]) -> Step:
        """Take the changes of one call in; return what they mean."""
        step = Step()
        for change in changes:
            if change.new is None:
                if not change.by_ttl and change.table in (self.payments_table, self.outbox_table):
                    step.gone.append(f"{change.table} {change.keys}")
            elif change.table == self.outbox_table:
                self._note_event(step, change.old, change.new)
            elif change.table == self.payments_table:
                self._note_item(step, change.new)
        return step

    def note_charges(self, changes: Iterable[Change]) -> list[tuple[Charge | None, Charge]]:
        """Take changes of the PSP's memory in; return the charges that changed."""
        found = []
        for change in changes:
            fields = from_item(change.new or {})
            if fields.pop("pk", "").startswith("charge#"):
                charge = Charge(**fields)
                found.append((self.charges.get(charge.charge_id), charge))
                self.charges[charge.charge_id] = charge
        return found

    def charges_of(self, payment_id: str) -> list[Charge]:
        """Return the charges of a payment that moved money."""
        return [
            charge
            for charge in self.charges.values()
            if charge.payment_id == payment_id and charge.has_moved_money
        ]

    def refunds_of(self, payment_id: str) -> list[Refund]:
        """Return our refunds of a payment."""
        return [one for one in self.refunds.values() if one.payment_id == payment_id]

    def refunds_made(self) -> dict[str, Mapping[str, Any]]:
        """Return what the PSPs gave back, by our refund's id."""
        return {
            one["refund_id"]: one
            for charge in self.charges.values()
            for one in charge.refunds.values()
            if one["status"] == MADE
        }

    def was_stopped(self, delivery: Delivery) -> bool:
        """Whether nothing was to be sent, at some time, where a delivery goes."""
        return any(
            (stop.merchant_id, stop.url) == (delivery.merchant_id, delivery.url)
            for stop in self.stops.values()
        )

    def moving(self, now: float) -> list[str]:
        """Name what still has to come to rest by itself."""
        return sorted(name for name in self._moving if self._is_near(name, now))

    def _is_near(self, name: str, now: float) -> bool:
        payment = self.payments.get(name)
        if payment is None or payment.status in _AT_ONCE or payment.due_at is None:
            return True
        return payment.due_at.timestamp() < now + FAR.total_seconds()

    def _note_event(self, step: Step, old: Item | None, new: Item) -> None:
        event = read_event(new)
        if old is not None:
            step.rewritten.append(event.event_id)
        self.events[event.event_id] = event
        step.events.append(event)
        if event.webhook_url and event.type not in (CREATED, REFUND_CREATED):
            delivery = self.deliveries.get(event.event_id)
            self._mark(event.event_id, delivery is None or delivery.state == PENDING)

    def _note_item(self, step: Step, item: Item) -> None:
        kind = item["sk"]["S"].partition("#")[0]
        lease = item.get("lease_until")
        self.leases[item["pk"]["S"], item["sk"]["S"]] = int(lease["N"]) if lease else 0
        if kind == "payment":
            payment = read_payment(item)
            step.payments.append((self.payments.get(payment.payment_id), payment))
            self.payments[payment.payment_id] = payment
            self._mark(payment.payment_id, _is_moving(payment))
        elif kind == "refund":
            refund = read_refund(item)
            step.refunds.append((self.refunds.get(refund.refund_id), refund))
            self.refunds[refund.refund_id] = refund
            self._mark(refund.refund_id, _is_refund_moving(refund))
        elif kind == "delivery":
            delivery = read_delivery(item)
            step.deliveries.append((self.deliveries.get(delivery.event_id), delivery))
            self.deliveries[delivery.event_id] = delivery
            self._mark(delivery.event_id, delivery.state == PENDING)
        elif kind == "inbox":
            self._note_inbox(item)
        elif kind == ENDPOINT:
            self._note_endpoint(item)

    def _note_endpoint(self, item: Item) -> None:
        fields = from_item(item)
        known_by = fields["pk"]
        if fields.get("stopped_at"):
            listed = fields.get("due_pk", "")
            self.stops[known_by] = Stop(fields["merchant_id"], fields["url"], listed)
        elif known_by in self.stops:
            self.stops[known_by] = replace(self.stops[known_by], is_over=True)

    def _note_inbox(self, item: Item) -> None:
        fields = from_item(item)
        due = fields["due_sk"] if is_due(fields.get("due_pk", "")) else ""
        entry = InboxEntry(fields["pk"], fields["state"], fields.get("payment_id", ""), due)
        self.inbox[entry.inbox_id] = entry
        # Without a time it waits for a person: with its dead letter, or unmatched.
        self._mark(entry.inbox_id, bool(due))

    def _mark(self, name: str, is_moving: bool) -> None:
        (self._moving.add if is_moving else self._moving.discard)(name)


def _is_moving(payment: Payment) -> bool:
    if payment.attention == Attention.DEAD_LETTER:
        return False
    return payment.status in _AT_ONCE or payment.due_at is not None


def _is_refund_moving(refund: Refund) -> bool:
    if refund.attention == Attention.DEAD_LETTER:
        return False
    return refund.status in (RefundStatus.PENDING, RefundStatus.PROCESSING)
