"""What a claimed payment or refund does at its gateway: look if in doubt, then send.

The end is always a result, so that whoever holds the claim can write what it means for the next
one: an answer, or why there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from riel.domain.instants import epoch_milliseconds
from riel.domain.payment import Attention
from riel.errors import (
    GatewayUnavailableError,
    LeaseLostError,
    OutcomeUnknownError,
    RielError,
    UnmappedAnswerError,
)
from riel.gateways.base import Gateway, NotFound
from riel.observability import count
from riel.services import doubt
from riel.services.doubt import Early, GiveUp, Send, T, Wait

if TYPE_CHECKING:
    from riel.app import App

Answer = TypeVar("Answer")
MAX_REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Errand(Generic[T, Answer]):
    """What to ask the gateway about a claimed item, and until when the claim allows a send."""

    item: T
    until: datetime
    gateway: Gateway
    look_up: Callable[[], Answer | NotFound]
    send: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Answered(Generic[Answer]):
    """The gateway said what became of it."""

    outcome: Answer


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The gateway did nothing now; a call may go after `seconds` at the earliest."""

    reason: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Broken(Generic[T]):
    """Something failed that no retry plan knows; `item` tells what may have been sent."""

    item: T
    error: Exception


def run(
    app: App, errand: Errand[T, Answer]
) -> Answered[Answer] | Wait[T] | Early | GiveUp | Unavailable | Broken[T]:
    """Do an errand: at most one look-up and one send."""
    seconds = app.breakers.of(errand.gateway.name).admit(app.clock())
    if seconds:
        return Unavailable("the breaker is open", seconds)
    try:
        return _run(app, errand)
    except (GatewayUnavailableError, OutcomeUnknownError) as error:
        return Unavailable(str(error))
    except Exception as error:  # noqa: BLE001 - raised again, once the claim is given back
        return Broken(errand.item, error)


def _run(
    app: App, errand: Errand[T, Answer]
) -> Answered[Answer] | Wait[T] | Early | GiveUp | Broken[T]:
    item = errand.item
    if item.quiet_since_ms:
        found = call(app, errand.gateway, errand.look_up)
        if not isinstance(found, NotFound):
            return Answered(found)
        schedule = app.config.look_up_seconds
        decision = doubt.after_not_found(item, errand.gateway.capabilities, schedule, app.clock())
        if not isinstance(decision, Send):
            return decision
    return _send(app, errand)


def _send(app: App, errand: Errand[T, Answer]) -> Answered[Answer] | Wait[T] | Broken[T]:
    sent_at = app.clock()
    if sent_at >= errand.until:
        # A thread that was frozen with its environment must not send behind another's back.
        raise LeaseLostError("too late to send")
    try:
        return Answered(call(app, errand.gateway, errand.send))
    except GatewayUnavailableError:
        raise
    except OutcomeUnknownError:
        count("OutcomeUnknown")
        schedule = app.config.look_up_seconds
        return doubt.after_lost_answer(errand.item, sent_at, schedule, app.clock())
    except Exception as error:  # noqa: BLE001 - raised again, once the claim is given back
        return Broken(doubt.sent(errand.item, sent_at), error)


def look(app: App, gateway: Gateway, ask: Callable[[], Answer]) -> Answer:
    """Ask a gateway without a claim: a look-up, or what may be repeated.

    Raises GatewayUnavailableError, also while the breaker is open or where no answer came.
    """
    if app.breakers.of(gateway.name).admit(app.clock()):
        raise GatewayUnavailableError("the breaker is open")
    try:
        return call(app, gateway, ask)
    except OutcomeUnknownError as error:
        raise GatewayUnavailableError("no answer") from error


def call(app: App, gateway: Gateway, ask: Callable[[], Answer]) -> Answer:
    """Call a gateway, and tell its breaker how that went."""
    breaker = app.breakers.of(gateway.name)
    try:
        answer = ask()
    except (GatewayUnavailableError, OutcomeUnknownError):
        if breaker.failed(app.clock()):
            count("BreakerOpened")
        raise
    except Exception as error:
        # An answer that nobody understands is an answer: the gateway is there.
        breaker.succeeded()
        if isinstance(error, UnmappedAnswerError):
            count("GatewayAnswerUnmapped")
        raise
    breaker.succeeded()
    return answer


def after_failure(app: App, broken: Broken[T], receives: int) -> T:
    """Tell in the item what failed, if this was the message's last receive.

    SQS then moves the message to the dead-letter queue by itself, and the sweeper leaves the item
    to the operator.
    """
    if receives < app.config.payments_max_receives:
        return broken.item
    reason = reason_of(broken.error)
    return replace(
        broken.item, attention=Attention.DEAD_LETTER, attention_reason=reason, due_at=None
    )


def after_answer(app: App, item: T, error: Exception, receives: int) -> T:
    """Tell in the item that we failed after the gateway had answered: it is to be looked up."""
    now_ms = epoch_milliseconds(app.clock())
    return after_failure(app, Broken(replace(item, quiet_since_ms=now_ms), error), receives)


def reason_of(error: Exception) -> str:
    """Say in a line what went wrong, for the operator."""
    code = error.code if isinstance(error, RielError) else type(error).__name__
    return f"{code}: {error}"[:MAX_REASON_LENGTH]
