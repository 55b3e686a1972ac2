"""Where the sender of webhooks can die: before and after each of its steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from riel.services.host_breakers import Admission, HostBreakers
from riel.store.deliveries import Delivery, DeliveryStore
from riel.store.due import DueItem, DueStore
from riel.webhooks.sending import Answer, WebhookClient
from tests.webhook_timeline import Killed, WebhooksQueue, WebhookTimeline


@dataclass(slots=True)
class Deaths:
    """Where the process ends: before or after the next step of a name, so many times."""

    planned: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)

    def around(self, step: str, work: Callable[[], Any]) -> Any:
        self._at(f"before the {step}")
        done = work()
        self._at(f"after the {step}")
        return done

    def _at(self, point: str) -> None:
        if point in self.planned:
            self.planned.remove(point)
            self.died.append(point)
            raise Killed(point)


class DyingClient(WebhookClient):
    deaths: Deaths

    def post(self, *arguments: Any, **named: Any) -> Answer:
        answer: Answer = self.deaths.around(
            "request", lambda: WebhookClient.post(self, *arguments, **named)
        )
        return answer


class DyingDeliveries(DeliveryStore):
    deaths: Deaths

    def save(self, before: Delivery, after: Delivery) -> bool:
        return bool(self.deaths.around("record", lambda: DeliveryStore.save(self, before, after)))


class DyingDue(DueStore):
    deaths: Deaths

    def postpone(self, due: DueItem, at: Any) -> bool:
        return bool(self.deaths.around("postpone", lambda: DueStore.postpone(self, due, at)))


class DyingBreakers(HostBreakers):
    """Whoever is dead gives no host's turn back: that ends by its own time."""

    def note(self, admission: Admission, seconds: float, *, answered: bool) -> None:
        if not isinstance(sys.exc_info()[1], Killed):
            super().note(admission, seconds, answered=answered)


class DyingQueue:
    """Between the timeline's queue, or its dead letters, and the sender."""

    def __init__(self, real: Any, step: str, deaths: Deaths) -> None:
        self._real, self._step, self._deaths = real, step, deaths
        self.url, self.send_many = real.url, getattr(real, "send_many", None)
        self.depth = getattr(real, "depth", None)

    def send(self, body: dict[str, Any], delay_seconds: int = 0) -> None:
        self._deaths.around(self._step, lambda: self._real.send(body, delay_seconds))


def endanger(timeline: WebhookTimeline, deaths: Deaths) -> None:
    parts = timeline.app.__dict__
    assert isinstance(parts["webhooks_queue"], WebhooksQueue)
    parts["webhooks_queue"] = DyingQueue(parts["webhooks_queue"], "copy", deaths)
    parts["webhooks_dlq"] = DyingQueue(parts["webhooks_dlq"], "letter", deaths)
