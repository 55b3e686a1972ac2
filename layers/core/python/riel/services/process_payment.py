"""The gateway step: claim, ask, record. At most one charge, whatever dies in between.

The PSP's idempotency key is derived from the payment, so every resend after doubt uses the same
key. A payment that was claimed before is looked up before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from riel import ids
from riel.domain.events import payment_moved
from riel.domain.payment import Applied, Change, Failure, Payment, Status, apply
from riel.errors import (
    BrokenError,
    GatewayUnavailableError,
    MalformedMessageError,
    OutcomeUnknownError,
    RielError,
    StoreUnavailableError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, ChargeRequest, Gateway, NotFound, Outcome
from riel.gateways.registry import find
from riel.observability import count, logger
from riel.store.payments import Claimed, Held, NothingToDo

if TYPE_CHECKING:
    from riel.app import App

MAX_UNKNOWN_OUTCOMES = 2
"""After so many lost answers with nothing to be found, a person decides: `in_review`."""


@dataclass(frozen=True, slots=True)
class Step:
    """A message of the payments queue. `waits` counts its delayed copies, not its receives."""

    payment_id: str
    waits: int = 0
    traceparent: str = ""

    @classmethod
    def read(cls, body: Any) -> Step:
        """Read a message's body; raises MalformedMessageError."""
        try:
            return cls(str(body["payment_id"]), int(body.get("waits", 0)), body["traceparent"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedMessageError(f"payments message: {error!r}") from error


class GiveBackError(RielError):
    """The message must be seen again after `seconds`: another worker holds the payment."""

    code = "held"
    retryable = True

    def __init__(self, seconds: int) -> None:
        super().__init__(f"held for another {seconds} s")
        self.seconds = seconds


def process_payment(app: App, step: Step, receives: int) -> str:
    """Take one payment through its gateway step; return what was done, for the log.

    Returning means that the message is done with, or waits as a delayed copy. Raises GiveBackError
    while another worker has the payment, and whatever went wrong otherwise, with the claim given
    back.
    """
    try:
        return _step(app, step, receives)
    except StoreUnavailableError as error:
        # Our own table's trouble is no fault of the payment, so it must not use up receives.
        return _defer(app, step, str(error))


def _step(app: App, step: Step, receives: int) -> str:
    lease = timedelta(seconds=app.config.lease_seconds)
    match app.payments.claim(step.payment_id, app.clock(), lease):
        case NothingToDo(reason):
            count("PaymentStepSkipped")
            return f"nothing to do: {reason}"
        case Held(seconds):
            raise GiveBackError(int(seconds) + 1)
        case Claimed(payment, is_first):
            return _guarded(app, step, payment, is_first, receives)


def _guarded(app: App, step: Step, payment: Payment, is_first: bool, receives: int) -> str:
    try:
        change = _decide(app, payment, is_first)
    except GatewayUnavailableError as error:
        app.payments.release(payment)
        return _defer(app, step, str(error))
    except OutcomeUnknownError as error:
        count("OutcomeUnknown")
        app.payments.release(payment, unknown_outcome=True)
        return _defer(app, step, str(error))
    except Exception as error:
        if isinstance(error, UnmappedAnswerError):
            count("GatewayAnswerUnmapped")
        # After the last receive the message goes to the dead-letter queue by itself.
        is_last = receives >= app.config.payments_max_receives
        app.payments.release(payment, dead_letter_reason=_reason(error) if is_last else "")
        raise
    try:
        return _record(app, payment, change)
    except StoreUnavailableError:
        # The charge may be made and is not written: the next worker need not wait for the lease.
        app.payments.release(payment)
        raise


def _reason(error: Exception) -> str:
    code = error.code if isinstance(error, RielError) else type(error).__name__
    return f"{code}: {error}"[:200]


def _decide(app: App, payment: Payment, is_first: bool) -> Change:
    gateway = find(app.gateways, payment.gateway)
    key = ids.gateway_key(payment.payment_id, gateway.name, payment.charge_number)
    outcome: Outcome | NotFound = NotFound() if is_first else gateway.look_up(key)
    if isinstance(outcome, NotFound):
        if payment.unknown_outcomes >= MAX_UNKNOWN_OUTCOMES:
            return Change(Status.IN_REVIEW, app.clock(), "outcome_unknown")
        outcome = _charge(gateway, key, payment)
    return _change(app, payment, outcome)


def _charge(gateway: Gateway, key: str, payment: Payment) -> Outcome:
    request = ChargeRequest(key, payment.payment_id, payment.amount, payment.payment_method_token)
    return gateway.charge(request)


def _change(app: App, payment: Payment, outcome: Outcome) -> Change:
    now = app.clock()
    if not isinstance(outcome, Charged):
        failure = Failure(outcome.code, outcome.message)
        return Change(Status.FAILED, now, "gateway_declined", failure=failure)
    if outcome.amount != payment.amount:
        count("GatewayContradicted")
        logger.error(
            "the gateway charged another amount",
            extra={"asked": str(payment.amount), "charged": str(outcome.amount)},
        )
        return Change(Status.IN_REVIEW, now, "amount_mismatch", gateway_reference=outcome.reference)
    return Change(
        Status.COMPLETED,
        now,
        "gateway_charged",
        received_minor=outcome.amount.minor,
        gateway_reference=outcome.reference,
    )


def _record(app: App, before: Payment, change: Change) -> str:
    applied = apply(before, change)
    if not isinstance(applied, Applied):
        # A claimed payment is `processing`, and every change above is an edge from there.
        raise BrokenError(f"{before.payment_id}: {applied.reason}")
    after = applied.payment
    event = payment_moved(ids.event_id(after.payment_id, after.sequence), after)
    app.payments.record(before, after, event)
    count("Payment" + after.status.title().replace("_", ""))
    return str(after.status)


def _defer(app: App, step: Step, reason: str) -> str:
    """Wait by a delayed copy and be done with this message, so that receives count crashes only."""
    schedule = app.config.gateway_retry_seconds
    wait = schedule[min(step.waits, len(schedule) - 1)]
    body: Mapping[str, Any] = {
        "payment_id": step.payment_id,
        "waits": step.waits + 1,
        "traceparent": step.traceparent,
    }
    app.payments_queue.send(body, round(wait * app.random.uniform(0.8, 1.2)))
    count("PaymentStepDeferred")
    return f"deferred {wait} s: {reason}"
