"""Each change that the contract names is told once, and only by the words of its own moment."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.domain import payment as payments
from riel.domain import refund as refunds
from riel.domain.events import MERCHANT_EVENTS, REFUND_EVENTS, TOLD_TO_MERCHANTS, Event
from riel.domain.money import Money
from riel.domain.payment import Method, Payment, Status
from riel.domain.refund import Refund, RefundStatus
from riel.gateways.base import Charged, Declined, RefundDeclined, Refunded
from riel.services.authenticate import authenticate
from riel.services.cancel_payment import cancel_payment
from riel.services.deliver_webhook import deliver_webhook
from riel.services.process_payment import Step, process_payment
from riel.services.process_refund import RefundStep, process_refund
from riel.services.redeliver_webhook import redeliver
from riel.services.relay_events import publish
from riel.services.replay_outbox import replay_outbox
from riel.services.resolve_payment import resolve_payment
from riel.services.resolve_refund import resolve_refund
from riel.services.webhook_message import Webhook
from riel.store.outbox import read_event
from tests.builders import API_KEY, NOON, FakeClock, FakeGateway, store_payment
from tests.endpoint import Endpoint
from tests.integration.test_process_refund import store_refund
from tests.payments import store_completed

MINUTE = timedelta(minutes=1)


class Till:
    """Does to payments what merchants, payers, PSPs and operators can do; each thing twice."""

    def __init__(self, app: App, clock: FakeClock, gateway: FakeGateway) -> None:
        self.app, self.clock, self.gateway = app, clock, gateway
        self._keys = itertools.count()

    def payment(self, method: Method = Method.CARD) -> Payment:
        return store_payment(self.app, method=method, idempotency_key=f"k{next(self._keys)}")

    def step(self, payment: Payment, *, look: bool = False) -> None:
        for _ in range(2):
            self.clock.advance(1)
            process_payment(self.app, Step(payment.payment_id, look=look), receives=1)

    def voucher(self) -> Payment:
        payment = self.payment(Method.OXXO)
        self.step(payment)
        return payment

    def in_review(self) -> Payment:
        payment = self.payment()
        one = Money(1, "MXN")
        self.gateway.answer = Charged(payment.payment_id, one, "ref", one)
        self.step(payment)
        self.gateway.answer = None
        return payment

    def cancel(self, payment: Payment) -> None:
        caller = authenticate(self.app, API_KEY)
        for key in ("first", "second"):
            self.clock.advance(1)
            cancel_payment(self.app, caller, key, payment.payment_id, "req_1")

    def pay(self, payment: Payment) -> None:
        self.gateway.pay(payment.payment_id, payment.amount.minor)
        self.step(payment, look=True)

    def let_expire(self, payment: Payment) -> None:
        self.clock.advance(5 * 86_400)
        self.step(payment, look=True)

    def resolve(self, payment: Payment, decision: Status) -> None:
        self.clock.advance(1)
        resolve_payment(self.app, payment.payment_id, decision, "ana", "case 4711")

    def refund(self, outcome: Callable[[Refund], Any] | None = None) -> Refund:
        payment = store_completed(self.app, idempotency_key=f"k{next(self._keys)}")
        refund = store_refund(self.app, payment, "r1")
        self.gateway.refund_answer = outcome(refund) if outcome else None
        for _ in range(2):
            self.clock.advance(1)
            step = RefundStep(refund.payment_id, refund.refund_id)
            process_refund(self.app, step, receives=1)
        return refund


class QueueInHand:
    """Keeps the messages of the webhooks queue; no delay is waited for."""

    url = "http://queue/webhooks"

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def send(self, body: Mapping[str, Any], _delay_seconds: int = 0) -> None:
        self._messages.append(dict(body))

    def send_many(self, bodies: Iterable[Mapping[str, Any]]) -> list[int]:
        self._messages += map(dict, bodies)
        return []

    def drain(self, app: App) -> None:
        """Do all messages, those that come of them too."""
        while self._messages:
            deliver_webhook(app, Webhook.read(self._messages.pop(0)))


@pytest.fixture
def till(app: App, clock: FakeClock, gateway: FakeGateway) -> Till:
    return Till(app, clock, gateway)


def test_each_status_that_a_payment_comes_to_by_any_edge_is_told_exactly_once(
    app: App, aws: Any, till: Till
) -> None:
    till.step(till.payment())
    failing = till.payment()
    till.gateway.answer = Declined(failing.payment_id, failing.amount, "card_declined", "no")
    till.step(failing)
    till.gateway.answer = None
    till.cancel(till.payment())
    for decision in (Status.COMPLETED, Status.FAILED):
        till.resolve(till.in_review(), decision)
    till.pay(till.voucher())
    for ended in (till.cancel, till.let_expire):
        late = till.voucher()
        ended(late)
        till.pay(late)

    stored = [app.payments.get(payment_id) for payment_id in {e.payment_id for e in events(app)}]
    histories = {payment.payment_id: payment.history for payment in stored if payment}
    edges = {
        (before.status, after.status)
        for history in histories.values()
        for before, after in itertools.pairwise(history)
    }
    assert edges == {(a, b) for a, others in payments.TRANSITIONS.items() for b in others}
    expected = Counter(
        (ids.event_id(payment_id, line.sequence), MERCHANT_EVENTS[line.status], line.sequence)
        for payment_id, history in histories.items()
        for line in history
        if line.status in MERCHANT_EVENTS
    )
    found = [event for event in told(app) if not event.refund_id]
    assert Counter((e.event_id, e.type, e.sequence) for e in found) == expected
    for event in found:
        body = json.loads(event.body)
        line = histories[event.payment_id][event.sequence - 1]
        assert (body["data"]["sequence"], body["data"]["status"]) == (line.sequence, line.status)
        assert body["type"] == event.type


def test_each_end_of_a_refund_by_any_edge_is_told_exactly_once(
    app: App, clock: FakeClock, till: Till
) -> None:
    def decline(refund: Refund) -> RefundDeclined:
        return RefundDeclined(refund.refund_id, refund.amount, "refund_declined", "no")

    def give_another_amount(refund: Refund) -> Refunded:
        return Refunded(refund.refund_id, Money(1, "MXN"), "ref")

    made = [till.refund(), till.refund(decline)]
    for decision in (RefundStatus.COMPLETED, RefundStatus.FAILED):
        refund = till.refund(give_another_amount)
        clock.advance(1)
        resolve_refund(app, refund.payment_id, refund.refund_id, decision, "ana", "case 4711")
        made.append(refund)

    stored = [app.refunds.get(refund.payment_id, refund.refund_id) for refund in made]
    histories = {refund.refund_id: refund.history for refund in stored if refund}
    edges = {
        (before.status, after.status)
        for history in histories.values()
        for before, after in itertools.pairwise(history)
    }
    assert edges == {(a, b) for a, others in refunds.TRANSITIONS.items() for b in others}
    expected = Counter(
        (ids.event_id(refund_id, line.sequence), REFUND_EVENTS[line.status], line.sequence)
        for refund_id, history in histories.items()
        for line in history
        if line.status in REFUND_EVENTS
    )
    found = [event for event in told(app) if event.refund_id]
    assert Counter((e.event_id, e.type, e.sequence) for e in found) == expected
    assert {json.loads(e.body)["data"]["status"] for e in found} == {"completed", "failed"}


def test_fc_72_whichever_way_a_webhook_goes_it_says_what_was_true_when_its_event_was_written(
    app: App, aws: Any, clock: FakeClock, endpoint: Endpoint
) -> None:
    """Relayed, replayed by an operator, tried again, and sent again on demand."""
    payment = store_completed(app, webhook_url=endpoint.url, metadata={"order": "1"})
    (event,) = told(app)
    aws.update_item(
        TableName="payments",
        Key={"pk": {"S": payment.payment_id}, "sk": {"S": "payment"}},
        UpdateExpression="SET metadata = :changed",
        ExpressionAttributeValues={":changed": {"M": {"order": {"S": "2"}}}},
    )
    endpoint.statuses = [500, 500]
    queue = app.__dict__["webhooks_queue"] = QueueInHand()

    assert publish(app, [event]) == 0
    queue.drain(app)
    assert replay_outbox(app, NOON - MINUTE, clock() + MINUTE).published == len(events(app))
    queue.drain(app)
    (delivery,) = app.deliveries.of_payment(payment.payment_id)
    redeliver(app, delivery)
    queue.drain(app)

    (delivery,) = app.deliveries.of_payment(payment.payment_id)
    assert (delivery.state, len(delivery.attempts)) == ("delivered", 4)
    assert [body for _, body in endpoint.received] == [event.body.encode()] * 4
    assert {headers["webhook-id"] for headers, _ in endpoint.received} == {event.event_id}
    assert json.loads(event.body)["data"]["metadata"] == {"order": "1"}


def events(app: App) -> list[Event]:
    """All of the outbox; a walk by its minutes would take one through five empty days."""
    items = app.dynamodb.scan(TableName="outbox")["Items"]
    return sorted(map(read_event, items), key=lambda event: (event.at, event.event_id))


def told(app: App) -> list[Event]:
    """What merchants are told of, from the outbox."""
    return [event for event in events(app) if event.type in TOLD_TO_MERCHANTS]
