"""Queues on the test's own clock: hours of waits, redeliveries and dead letters in a moment.

It does with messages what SQS and the processor's handler do, one at a time: a message comes when
its delay is over, one that fails comes again, and after its last receive it is a dead letter.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from riel.app import App
from riel.services.process_payment import GiveBackError, Step, process_payment
from riel.services.process_refund import RefundStep, process_refund
from tests.builders import FakeClock

MAX_MESSAGES = 500
"""More than that is a loop."""


class TimelineQueue:
    """Takes messages for the timeline, with the queue's name."""

    def __init__(self, timeline: Timeline, name: str) -> None:
        self.url = f"http://queue/{name}"
        self._timeline = timeline
        self._name = name

    def send(self, body: Mapping[str, Any], delay_seconds: int = 0) -> None:
        assert 0 <= delay_seconds <= 900, "SQS delays by fifteen minutes at most"
        self._timeline.put(self._name, dict(body), delay_seconds)


class Timeline:
    """All gateways' queues of an app."""

    def __init__(self, app: App, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.done: list[str] = []
        self.dead: list[dict[str, Any]] = []
        self.sent: list[tuple[str, dict[str, Any], int]] = []
        self._waiting: list[tuple[datetime, int, str, dict[str, Any], int]] = []
        self._order = count()
        app.__dict__["payments_queue"] = TimelineQueue(self, "payments")
        app.__dict__["_gateway_queues"] = {"standby": TimelineQueue(self, "payments-standby")}

    def put(self, queue: str, body: dict[str, Any], delay: int = 0, receives: int = 1) -> None:
        """Let a message come after so many seconds."""
        if receives == 1:
            self.sent.append((queue, body, delay))
        at = self.clock() + timedelta(seconds=delay)
        heapq.heappush(self._waiting, (at, next(self._order), queue, body, receives))

    def run(self, step: Step | RefundStep | None = None, *, until: datetime | None = None) -> None:
        """Take messages in the order of their times, until there are none (or none by then)."""
        if step is not None:
            body = {"payment_id": step.payment_id, "traceparent": "", "gateway": step.gateway}
            refund = {"refund_id": step.refund_id} if isinstance(step, RefundStep) else {}
            self.put("payments", {**body, **refund, "waits": step.waits, "look": step.look})
        for _ in range(MAX_MESSAGES):
            if not self._waiting or (until and self._waiting[0][0] > until):
                return
            at, _order, queue, body, receives = heapq.heappop(self._waiting)
            self.clock.now = max(self.clock.now, at)
            self._receive(queue, body, receives)
        raise AssertionError("the messages never end")

    def _receive(self, queue: str, body: dict[str, Any], receives: int) -> None:
        work: Callable[[], str] = (
            (lambda: process_refund(self.app, RefundStep.read(body), receives))
            if "refund_id" in body
            else (lambda: process_payment(self.app, Step.read(body), receives))
        )
        delay = receives
        try:
            self.done.append(work())
            return
        except GiveBackError as held:
            delay = held.seconds
        except Exception as error:  # noqa: BLE001 - whatever fails comes again, as on SQS
            self.done.append(f"failed: {error}")
        if receives >= self.app.config.payments_max_receives:
            self.dead.append(body)
        else:
            self.put(queue, body, delay, receives + 1)
