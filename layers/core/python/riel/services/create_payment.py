"""Accept a payment: once per merchant, mode and idempotency key, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from riel import ids
from riel.domain.events import payment_created
from riel.domain.money import Money
from riel.domain.payment import Method, Payment, Status, Transition
from riel.errors import (
    BrokenError,
    GatewayBusyError,
    IdempotencyKeyReusedError,
    RielError,
    UnavailableError,
)
from riel.gateways.routing import choose
from riel.observability import count, logger
from riel.services import payment_record
from riel.services.backlog import require_room
from riel.services.fingerprint import fingerprint
from riel.services.payment_record import Draft, PaymentRecords, accepted
from riel.store.merchants import Caller

if TYPE_CHECKING:
    from riel.app import App

_REUSED = "this Idempotency-Key was used with another body; use a new key for a new payment"


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant asks for, validated. `sent` are the fields as sent, for the fingerprint."""

    amount: Money
    method: Method
    sent: Mapping[str, Any]
    description: str = ""
    metadata: Mapping[str, str] | None = None
    webhook_url: str | None = None
    payment_method_token: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The answer, and whether it repeats an earlier one."""

    answer: Mapping[str, str]
    is_replay: bool


class PaymentCreator:
    """`create_payment`, bound to one app: Powertools wants one persistence layer per route."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.idempotency = payment_record.configuration()
        self._answer = idempotent_function(
            data_keyword_argument="request",
            persistence_store=PaymentRecords(app.payments),
            config=self.idempotency,
        )(_answer)

    def __call__(self, caller: Caller, key: str, order: Order, traceparent: str = "") -> Acceptance:
        """Write the payment and its event, or find the one that this key has made before.

        Raises IdempotencyKeyReusedError, DuplicateReferenceError, or an UnavailableError with
        nothing written.
        """
        try:
            payment = self._draft(caller, key, order, traceparent)
        except UnavailableError as unavailable:
            return self._replay(caller, key, order, unavailable)
        event = payment_created(ids.event_id(payment.payment_id, payment.sequence), payment)
        draft = Draft(payment, event, caller.merchant.listing_shards)
        token = payment_record.current.set(draft)
        try:
            answer = self._answer(request={"key": payment.payment_id})
        except IdempotencyValidationError as error:
            raise IdempotencyKeyReusedError(_REUSED) from error
        except IdempotencyPersistenceLayerError as error:
            raise _unwrapped(error) from error
        finally:
            payment_record.current.reset(token)
        count("PaymentReplayed" if draft.is_replay else "PaymentAccepted")
        extra = {"payment_id": payment.payment_id, "is_replay": draft.is_replay}
        logger.info("payment accepted", extra=extra)
        return Acceptance(answer, draft.is_replay)

    def _replay(
        self, caller: Caller, key: str, order: Order, unavailable: UnavailableError
    ) -> Acceptance:
        """Answer a repeat although its gateway is gone or busy: the payment was accepted."""
        payment_id = ids.payment_id(caller.merchant_id, caller.livemode, key)
        existing = self._app.payments.get(payment_id)
        if existing is None:
            if isinstance(unavailable, GatewayBusyError):
                count("PaymentRefusedBusy")
            raise unavailable
        if existing.fingerprint != fingerprint(order.sent):
            raise IdempotencyKeyReusedError(_REUSED)
        count("PaymentReplayed")
        return Acceptance(accepted(existing), is_replay=True)

    def _draft(self, caller: Caller, key: str, order: Order, traceparent: str) -> Payment:
        now = self._app.clock()
        gateway = choose(
            self._app.routes,
            order.method,
            order.amount.currency,
            livemode=caller.livemode,
            is_on=self._app.switches.is_on,
        )
        require_room(self._app, gateway)
        return Payment(
            payment_id=ids.payment_id(caller.merchant_id, caller.livemode, key),
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
            amount=order.amount,
            method=order.method,
            gateway=gateway,
            idempotency_key=key,
            fingerprint=fingerprint(order.sent),
            history=(Transition(1, Status.PENDING, now, "created"),),
            description=order.description,
            metadata=dict(order.metadata or {}),
            webhook_url=order.webhook_url,
            payment_method_token=order.payment_method_token,
            reference=order.reference,
            traceparent=traceparent,
        )


def _answer(request: Mapping[str, str]) -> dict[str, str]:
    draft = payment_record.current.get()
    if not draft.is_written:
        # POWERTOOLS_IDEMPOTENCY_DISABLED skips the persistence layer, and with it the write.
        raise BrokenError("the payment was not written: Powertools idempotency is switched off")
    return accepted(draft.payment)


def _unwrapped(error: IdempotencyPersistenceLayerError) -> BaseException:
    cause = error.__cause__
    return cause if isinstance(cause, RielError) else error
