"""Webhooks on the test's own clock: three days of attempts, sweeps and dead letters in a moment.

It does with messages what SQS and the sender's handler do, one at a time: a message comes when its
delay is over, one that fails comes again after the visibility timeout, and after its last receive
SQS itself makes it a dead letter. The sweeper runs every minute; a minute in which nothing is due
is passed over, because its sweep would do nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from riel import ids
from riel.app import App
from riel.deadline import Deadline
from riel.domain.payment import Payment
from riel.services.deliver_webhook import deliver_webhook
from riel.services.host_breakers import Admission, HostBreakers
from riel.services.queue_room import QueueRoom
from riel.services.sweep_due import sweep_webhooks
from riel.services.webhook_message import Webhook
from riel.store.deliveries import Delivery
from riel.webhooks import sending
from tests.builders import FakeClock
from tests.payments import store_awaiting

VISIBILITY_SECONDS = 360
MAX_STEPS = 3_000
"""For a few deliveries: more than that is a loop."""
MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The end of a process, at the call that raises it."""


class WebhooksQueue:
    """Takes messages for the timeline."""

    url = "http://queue/webhooks"
    name = "webhooks"

    def __init__(self, timeline: WebhookTimeline) -> None:
        self._timeline = timeline

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        assert 0 <= delay_seconds <= 900, "SQS delays by fifteen minutes at most"
        self._timeline.put(dict(body), delay_seconds)

    def send_many(self, bodies: Sequence[Mapping[str, Any]]) -> set[int]:
        for body in bodies:
            self._timeline.put(dict(body))
        return set()

    def depth(self) -> dict[str, int]:
        waiting = self._timeline.waiting
        visible = sum(at <= self._timeline.clock() for at, *_ in waiting)
        return {"visible": visible, "in_flight": 0, "delayed": len(waiting) - visible}


class DeadLetters:
    """Takes what the sender itself gives up."""

    url = "http://queue/webhooks-dlq"

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        assert delay_seconds == 0
        self.letters.append(dict(body))


class WebhookTimeline:
    """The webhooks queue of an app, its dead letters, its sender and its sweeper.

    With `duplicates`, every message is received that many times more, each time right after it
    was done, as if its deletion had been lost.
    """

    def __init__(self, app: App, clock: FakeClock, *, duplicates: int = 0) -> None:
        self.app = app
        self.clock = clock
        self.done: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.native_letters: list[dict[str, Any]] = []
        self.waiting: list[tuple[datetime, int, dict[str, Any], int]] = []
        self._duplicates = duplicates
        self._order = count()
        self._dead = DeadLetters()
        app.__dict__["webhooks_queue"] = WebhooksQueue(self)
        app.__dict__["webhooks_dlq"] = self._dead

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What the sender gave up, as it put it into the dead-letter queue."""
        return self._dead.letters

    def put(self, body: dict[str, Any], delay: int = 0, receives: int = 1) -> None:
        """Let a message come after so many seconds."""
        if receives == 1:
            self.sent.append(body)
        at = self.clock() + timedelta(seconds=delay)
        heapq.heappush(self.waiting, (at, next(self._order), body, receives))

    def start(self, webhook: Webhook) -> None:
        """Send the relay's message."""
        self.put(webhook.fields())

    def run(self, *, until: datetime | None = None, max_steps: int = MAX_STEPS) -> None:
        """Go on until nothing waits anywhere, or to a time."""
        for _ in range(max_steps):
            sweep_at = self._next_sweep()
            at = min(filter(None, (self._next_message(), sweep_at)), default=None)
            if at is None or (until and at > until):
                self.clock.now = max(self.clock.now, until or self.clock.now)
                return
            self.clock.now = max(self.clock.now, at)
            if sweep_at == at:
                self.sweep()
            else:
                self.receive()
        raise AssertionError("the webhooks never end")

    def sweep(self) -> int:
        """Let the sweeper run once, if nothing ends it."""
        try:
            return sweep_webhooks(self.app, QueueRoom(), Deadline(60)).sent
        except Killed:
            return 0

    def receive(self, repeats: int = 0) -> None:
        """Let the sender have the message whose time has come first, and so often again."""
        if not self.waiting:
            return
        at, _, body, receives = heapq.heappop(self.waiting)
        self.clock.now = max(self.clock.now, at)
        for again in range(1 + repeats + self._duplicates):
            self._receive(body, receives + again)

    def _receive(self, body: dict[str, Any], receives: int) -> None:
        try:
            self.done.append(deliver_webhook(self.app, Webhook.read(body), receives))
        except (Exception, Killed) as error:  # noqa: BLE001 - whatever fails comes again, as on SQS
            self.done.append(f"failed: {error!r}")
            if receives >= self.app.config.webhooks_max_receives:
                self.native_letters.append(body)
            else:
                self.put(body, VISIBILITY_SECONDS, receives + 1)

    def _next_message(self) -> datetime | None:
        return self.waiting[0][0] if self.waiting else None

    def _next_sweep(self) -> datetime | None:
        """The first whole minute at which something is due, not before now."""
        items = self.app.dynamodb.scan(
            TableName=self.app.config.payments_table,
            IndexName="due",
            FilterExpression="begins_with(due_pk, :webhooks)",
            ExpressionAttributeValues={":webhooks": {"S": "webhooks#"}},
        )["Items"]
        if not items:
            return None
        due = min(datetime.fromisoformat(item["due_sk"]["S"].split("#")[0]) for item in items)
        due = max(due, self.clock())
        whole = due.replace(second=0, microsecond=0)
        return whole if whole == due else whole + MINUTE


def retry_slowly(app: App, schedule: tuple[int, ...]) -> None:
    """Give the app the schedule of a stage on AWS."""
    app.config = replace(app.config, webhook_retry_seconds=schedule)


class _Silent:
    """Endpoints of which none answers."""

    def __init__(self) -> None:
        self.attempts = 0

    def post(self, *_: Any) -> sending.Answer:
        self.attempts += 1
        return sending.Answer(0, sending.DEADLINE_EXCEEDED)


class _Hanging(HostBreakers):
    """Breakers that are told of attempts which took until the deadline."""

    def note(self, admission: Admission, seconds: float, *, answered: bool) -> None:
        super().note(admission, sending.DEADLINE_SECONDS, answered=answered)


class _Taken(HostBreakers):
    """Breakers of a merchant of whom another host always has the turn."""

    def admit(self, merchant_id: str, authority: str) -> Admission:
        return Admission(merchant_id, authority, wait_seconds=sending.DEADLINE_SECONDS)


def hang(app: App) -> _Silent:
    """Let every endpoint of the app hang until the deadline; return what counts its attempts."""
    app.__dict__["host_breakers"], silent = _Hanging(app), _Silent()
    app.__dict__["webhook_client"] = silent
    return silent


def admit_none(app: App) -> None:
    """Let no attempt of the app have its host's turn."""
    app.__dict__["host_breakers"] = _Taken(app)


def told(app: App, payment: Payment) -> Webhook:
    """The relay's message about what has just become of a payment."""
    event_id = ids.event_id(payment.payment_id, payment.sequence)
    event = app.outbox.get(payment.history[-1].at, payment.payment_id, event_id)
    assert event is not None
    return Webhook.of_event(event)


def awaiting(app: App, url: str, number: int = 0) -> Payment:
    """A payment whose merchant is to be told that it waits for its payer."""
    key = f"key-{number}"
    return store_awaiting(app, idempotency_key=key, webhook_url=url)


def delivery_of(app: App, webhook: Webhook) -> Delivery:
    found = app.deliveries.get(webhook.payment_id, webhook.event_id)
    assert found is not None
    return found
