"""Webhooks as models: the events themselves, and what the API answers about their deliveries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from functions.api.answer_parts import Amount, Answer, DeliveryId, Instant, PaymentId, RefundId
from riel.domain.payment import Status
from riel.domain.refund import RefundStatus


class DeliveryAttempt(Answer):
    """One try to deliver an event."""

    at: Instant
    status: Annotated[int, Field(ge=100, le=599)] | None
    """The HTTP status that your endpoint answered; null where none came."""
    latency_ms: Annotated[int, Field(ge=0)]
    """How long the try took."""
    error: str | None
    """Why no status came, such as `connection_failed`, `tls_failed`, `name_not_resolved`,
    `deadline_exceeded` or `forbidden_destination`; more may be added."""
    answer: str | None
    """The first characters of what your endpoint answered; null where nothing came."""


class Delivery(Answer):
    """An event that you are told, and how far its delivery is."""

    delivery_id: DeliveryId
    type: str
    """What happened, as in the event."""
    state: Literal["pending", "delivered", "failed"]
    """`pending`: not yet received, and tried again. `failed`: not tried any more, unless you ask
    for it."""
    failure: str | None
    """Why it is `failed`: `out_of_attempts` (or of time for them, where your host is slow), `gone`
    (your endpoint answered 410), `endpoint_stopped`, `forbidden_destination` or `event_expired`;
    more may be added."""
    sequence: Annotated[int, Field(ge=1)]
    """The number of the payment's, or the refund's, transition."""
    refund_id: RefundId | None
    """The refund that the event is about, if it is about one."""
    created_at: Instant
    next_attempt_at: Instant | None
    """When it is tried next, where that is known."""
    attempt_count: Annotated[int, Field(ge=0)]
    """How often it was tried, in all."""
    attempts: Annotated[list[DeliveryAttempt], Field(max_length=30)]
    """The newest 30 tries, the oldest of them first."""


class DeliveryList(Answer):
    """The events of a payment and of its refunds that you are told, the oldest first."""

    data: list[Delivery]
    """Every event that exists, before its first try too; none without a `webhook_url`."""


class RedeliveryAccepted(Answer):
    """An event that is sent again."""

    delivery_id: DeliveryId
    state: Literal["pending"]
    """It is tried at once, or in its turn where its host is slow; then by the schedule again."""


class EventData(Answer):
    """The payment that an event is about, as it was when the event happened."""

    payment_id: PaymentId
    status: Status
    """The status that the event tells of."""
    processed_at: Instant | None
    """When the payment came to a final status."""
    amount: Amount
    currency: str
    """ISO 4217."""
    received_amount: Amount
    """What had arrived by then."""
    attention: str | None
    """Why to look before you deliver, if so: see a payment's `attention`."""
    sequence: Annotated[int, Field(ge=1)]
    """The transition's number: order events of one payment by it, not by their arrival."""
    metadata: dict[str, str]
    """As sent with the payment."""


class Event(Answer):
    """The body of a webhook: what happened to one payment."""

    type: str
    """What happened."""
    timestamp: Instant
    data: EventData
    """The payment, as it was then."""


class RefundEventData(Answer):
    """The refund that an event is about, as it was when the event happened."""

    refund_id: RefundId
    payment_id: PaymentId
    status: RefundStatus
    """The status that the event tells of."""
    processed_at: Instant | None
    """When the refund came to its end."""
    amount: Amount
    currency: str
    """ISO 4217."""
    sequence: Annotated[int, Field(ge=1)]
    """The number of the refund's transition."""
    metadata: dict[str, str]
    """As sent with the payment."""


class RefundEvent(Answer):
    """The body of a webhook: what happened to one refund."""

    type: str
    """What happened."""
    timestamp: Instant
    data: RefundEventData
    """The refund, as it was then."""
