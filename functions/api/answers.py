"""What the API answers, as models: for the OpenAPI document and the tests, never for the handler.

The handler writes its answers itself, because a model built for each answer would cost every cold
start; a test holds the real answers to these models instead. The models are closed, so that a
field nobody described fails that test; the document opens them again, for fields may be added.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.api.answer_parts import Amount, Answer, Instant, PaymentId, RefundId
from functions.api.webhook_answers import DeliveryList, Event, RedeliveryAccepted, RefundEvent
from riel.domain.payment import Method, Status
from riel.domain.refund import RefundStatus


class PaymentAccepted(Answer):
    """A payment that was written down; its outcome comes later, by webhook."""

    payment_id: PaymentId
    status: Literal["pending"]
    """Where the payment stood when it was accepted; a repeat shows the same."""
    created_at: Instant


class PaymentFailure(Answer):
    """Why a payment failed."""

    code: str
    """The reason, for programs, such as `card_declined`."""
    message: str
    """The reason, for people."""


class NextAction(BaseModel):
    """What the payer has to do now; more fields depend on the type."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    """What kind of action: `oxxo_voucher` or `spei_transfer`."""
    reference: str | None = None
    """The voucher's reference, for `oxxo`."""
    clabe: str | None = None
    """The account to transfer to, for `spei`."""
    expires_at: Instant
    """Until when the payer can pay."""


class HistoryLine(Answer):
    """One transition of a payment."""

    sequence: Annotated[int, Field(ge=1)]
    """Counts from 1, without gaps."""
    status: Status
    """The status that the payment came to."""
    at: Instant
    cause: str
    """What brought it there."""


class Payment(Answer):
    """A payment with its whole history."""

    id: PaymentId
    amount: Amount
    currency: str
    """ISO 4217."""
    description: str
    """As sent, else empty."""
    metadata: dict[str, str]
    """As sent, else empty."""
    status: Status
    """Where the payment stands."""
    livemode: bool
    """Whether real money moves: told by the API key that made the payment."""
    method: Method
    """How the payer pays."""
    gateway: str
    """The gateway that the payment goes to."""
    reference: str | None
    """Your own order id, as sent."""
    received_amount: Amount
    """What has arrived so far."""
    idempotency_key: str
    """The key that made the payment."""
    webhook_url: str | None
    """Where its events go, if anywhere."""
    created_at: Instant
    processed_at: Instant | None
    """When it came to a final status."""
    refunded_amount: Amount
    """What was given back."""
    failure: PaymentFailure | None
    """Why it failed, where it did."""
    next_action: NextAction | None
    """What the payer has to do now, if anything."""
    attention: str | None
    """Set while somebody has to look at the payment: `dead_letter` and `contradiction` are for us,
    `overpaid`, `underpaid` and `late_payment` for you as well."""
    history: Annotated[list[HistoryLine], Field(min_length=1)]
    """Every transition, the oldest first."""


class PaymentPage(Answer):
    """One page of payments, the newest first."""

    data: Annotated[list[Payment], Field(max_length=100)]
    """The payments; fewer than the limit, or none, may come although there are more."""
    has_more: bool
    """Whether there is a next page."""
    next_cursor: str | None
    """Where the next page begins, to be sent as `cursor`; null on the last page."""


class CancelAccepted(Answer):
    """A payment that will not be charged."""

    payment_id: PaymentId
    status: Status
    """The status after the cancellation."""


class RefundAccepted(Answer):
    """A refund that was written down; its outcome comes later, by webhook."""

    refund_id: RefundId
    payment_id: PaymentId
    amount: Amount
    currency: str
    """The payment's."""
    status: Literal["pending"]
    """Where the refund stood when it was accepted; a repeat shows the same."""
    reason: str
    """As sent, else empty."""
    created_at: Instant


class RefundFailure(Answer):
    """Why a refund failed."""

    code: str
    """The reason, for programs."""
    message: str
    """The reason, for people."""


class RefundHistoryLine(Answer):
    """One transition of a refund."""

    sequence: Annotated[int, Field(ge=1)]
    """Counts from 1, without gaps."""
    status: RefundStatus
    """The status that the refund came to."""
    at: Instant
    cause: str
    """What brought it there."""


class Refund(Answer):
    """Money that goes back for a payment, with its whole history."""

    refund_id: RefundId
    payment_id: PaymentId
    amount: Amount
    currency: str
    """The payment's."""
    status: RefundStatus
    """Where the refund stands."""
    reason: str
    """As sent, else empty."""
    created_at: Instant
    processed_at: Instant | None
    """When it came to its end."""
    failure: RefundFailure | None
    """Why it failed, where it did; its amount can then be refunded again."""
    history: Annotated[list[RefundHistoryLine], Field(min_length=1)]
    """Every transition, the oldest first."""


class RefundList(Answer):
    """All refunds of a payment, the oldest first."""

    data: Annotated[list[Refund], Field(max_length=100)]
    """The refunds, failed ones included; the list is never cut."""


class IdempotencyKeyState(Answer):
    """What became of an idempotency key of `POST /api/v1/payments`."""

    state: Literal["in_progress", "completed", "unknown"]
    """`completed`: the payment exists. `unknown`: nothing was made with this key, so far."""
    payment_id: PaymentId | None
    """The payment that the key made."""


class Health(Answer):
    """Whether the API can do its work."""

    status: Literal["ok", "unavailable"]
    """`unavailable` comes with 503."""
    version: str
    """The version of Riel that answers."""
    stage: str
    """The deployment that answers."""
    checks: dict[str, str]
    """What was tried, and `ok` or what went wrong with it."""


class ProblemField(Answer):
    """What is wrong with one field, header or parameter."""

    field: str
    """The name of the field; `(unknown field)` where repeating the name could leak something."""
    code: str
    """The reason, for programs."""
    message: str
    """The reason, for people."""


class Problem(Answer):
    """An error, as RFC 9457 describes them."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    """Names the kind of problem."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status again."""
    detail: str
    """What went wrong this time, for people."""
    code: str
    """The reason, for programs. Judge an unknown one by the status."""
    request_id: str
    """The value of X-Request-Id; tell it when you ask for help."""
    errors: list[ProblemField]
    """One entry for each field with a problem; often empty."""


ANSWERS: tuple[type[BaseModel], ...] = (
    PaymentAccepted,
    Payment,
    PaymentPage,
    CancelAccepted,
    RefundAccepted,
    Refund,
    RefundList,
    DeliveryList,
    RedeliveryAccepted,
    IdempotencyKeyState,
    Health,
    Problem,
    Event,
    RefundEvent,
)
"""The models that operations name; what these contain comes along."""
