"""Tell the merchant: at least once, signed, retried by delayed copies, or visibly dead."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from riel.deadline import Deadline
from riel.domain.instants import to_text
from riel.errors import (
    BrokenError,
    ForbiddenDestinationError,
    MalformedMessageError,
    UnavailableError,
)
from riel.observability import count
from riel.store.deliveries import DELIVERED, FAILED, PENDING, Attempt, Delivery
from riel.webhooks import egress, schedule, sending, signing

if TYPE_CHECKING:
    from riel.app import App


@dataclass(frozen=True, slots=True)
class Webhook:
    """A message of the webhooks queue.

    `attempt` counts from 1 over the life of the delivery; `base` is how many attempts were made
    before this run of the schedule began, so that a redrive starts a new run.
    """

    event_id: str
    type: str
    payment_id: str
    merchant_id: str
    url: str
    body: str
    traceparent: str = ""
    attempt: int = 1
    base: int = 0

    @property
    def retries_done(self) -> int:
        """How many retries of this run of the schedule came before this attempt."""
        return self.attempt - self.base - 1

    @classmethod
    def read(cls, body: Any) -> Webhook:
        """Read a message's body; raises MalformedMessageError."""
        try:
            webhook = cls(**body)
            if not (webhook.url and webhook.event_id and webhook.attempt > webhook.base >= 0):
                raise ValueError("a field is empty or out of range")
            return webhook
        except (TypeError, ValueError) as error:
            raise MalformedMessageError(f"webhooks message: {error!r}") from error


def deliver_webhook(app: App, webhook: Webhook) -> str:
    """Make one attempt and arrange what follows; return what was done, for the log.

    The delivery's item says how far it is: a message that comes twice sends nothing twice after
    its attempt was recorded, but does arrange the next attempt again, which the item absorbs too.
    """
    found = app.deliveries.get(webhook.payment_id, webhook.event_id)
    delivery = found or Delivery(webhook.event_id, webhook.type, webhook.url)
    if delivery.state == DELIVERED or len(delivery.attempts) > webhook.attempt:
        return "nothing to do"
    if len(delivery.attempts) == webhook.attempt:
        return _follow_up(app, webhook, delivery.state, retry_after=None)
    answer, attempt = _attempt(app, webhook)
    state = _state(app, webhook, answer)
    if not app.deliveries.record(webhook.payment_id, delivery, attempt, state):
        return "recorded by another worker"
    return _follow_up(app, webhook, state, answer.retry_after_seconds)


def _attempt(app: App, webhook: Webhook) -> tuple[sending.Answer, Attempt]:
    started = time.monotonic()
    now = app.clock()
    answer = _send(app, webhook)
    latency_ms = round((time.monotonic() - started) * 1000)
    return answer, Attempt(to_text(now), answer.status, latency_ms, answer.error)


def _send(app: App, webhook: Webhook) -> sending.Answer:
    deadline = Deadline(sending.DEADLINE_SECONDS)
    merchant = app.merchants.get(webhook.merchant_id)
    if merchant is None:
        raise BrokenError(f"merchant {webhook.merchant_id} is unknown")
    try:
        destination = egress.check_url(webhook.url, allow_loopback=app.config.loopback_webhooks)
        addresses = egress.resolve(destination, app.resolver)
    except ForbiddenDestinationError:
        return sending.Answer(0, sending.FORBIDDEN)
    except UnavailableError:
        return sending.Answer(0, "NameNotResolved")
    body = webhook.body.encode()
    headers = signing.headers(merchant.webhook_secrets, webhook.event_id, app.clock(), body)
    if webhook.traceparent:
        headers["traceparent"] = webhook.traceparent
    return sending.post(
        app.webhook_client, webhook.url, destination, addresses, headers, body, deadline
    )


def _state(app: App, webhook: Webhook, answer: sending.Answer) -> str:
    if answer.is_success:
        return DELIVERED
    is_out = webhook.retries_done >= len(app.config.webhook_retry_seconds)
    return FAILED if is_out or answer.is_permanent else PENDING


def _follow_up(app: App, webhook: Webhook, state: str, retry_after: int | None) -> str:
    if state == DELIVERED:
        count("WebhookDelivered")
        return state
    if state == FAILED:
        app.webhooks_dlq.send(asdict(webhook))
        count("WebhookDeadLettered")
        return state
    plan = app.config.webhook_retry_seconds
    delay = schedule.next_delay(webhook.retries_done, plan, app.random, retry_after)
    if delay is None:
        raise BrokenError(f"{webhook.event_id}: pending without a next attempt")
    app.webhooks_queue.send(asdict(replace(webhook, attempt=webhook.attempt + 1)), delay)
    count("WebhookRetried")
    return f"{state}: again in {delay} s"
