"""The payment as Powertools' idempotency record: no second write, no lock that expires.

Powertools asks a persistence layer to put a record before it runs the function, and replays the
stored answer when the record exists. Here that put *is* the business transaction (payment and
outbox event, conditional on the payment's absence), so

- whoever's put succeeds has created the payment, and its function only words the answer;
- everybody else gets the payment that is there, and the same answer worded from it;
- updating and deleting the record do nothing: a payment that was accepted stays.

Record keys that Powertools hashes are never used for anything: the payment's id and fingerprint
are our own (docs/decisions.md).
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import (
    STATUS_CONSTANTS,
    DataRecord,
)

from riel.domain.events import Event
from riel.domain.instants import to_text
from riel.domain.payment import Payment, Status
from riel.store.payments import PaymentStore


@dataclass(slots=True)
class Draft:
    """A payment about to be written, and after the put: whether it was, and what was there."""

    payment: Payment
    event: Event
    listing_shards: int = 1
    is_written: bool = False
    is_replay: bool = False


current: ContextVar[Draft] = ContextVar("draft")
"""The draft of this request: Powertools' records carry no payload, so it travels here."""


def accepted(payment: Payment) -> dict[str, str]:
    """Word the answer to a create; it must come out the same from the stored payment for ever."""
    return {
        "payment_id": payment.payment_id,
        "status": Status.PENDING,
        "created_at": to_text(payment.created_at),
    }


class PaymentRecords(BasePersistenceLayer):
    """Powertools' persistence layer over the payments table."""

    def __init__(self, store: PaymentStore) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools leaves it untyped
        self._store = store

    def _put_record(self, data_record: DataRecord) -> None:
        draft = current.get()
        existing = self._store.create(draft.payment, draft.event, draft.listing_shards)
        if existing is None:
            draft.is_written = True
            return
        if existing.fingerprint != draft.payment.fingerprint:
            raise IdempotencyValidationError("the key belongs to another request")
        draft.is_replay = True
        raise IdempotencyItemAlreadyExistsError(
            old_data_record=_record(data_record.idempotency_key, existing)
        )

    def _get_record(self, idempotency_key: str) -> DataRecord:
        # Reached only if Powertools ever stops using the record inside the exception.
        payment = self._store.get(current.get().payment.payment_id)
        if payment is None:
            raise RuntimeError("a payment that existed a moment ago is gone")
        return _record(idempotency_key, payment)

    def save_success(self, data: dict[str, Any], result: dict[str, Any]) -> None:
        """Do nothing, without Powertools hashing the key again for it."""

    def _update_record(self, data_record: DataRecord) -> None:
        """Do nothing: the payment is complete as a record from its first write."""

    def _delete_record(self, data_record: DataRecord) -> None:
        """Do nothing: an accepted payment is never taken back by an error in the answer."""


def configuration() -> IdempotencyConfig:
    """Powertools' settings: the caller's key names the record, nothing is cached or expires."""
    return IdempotencyConfig(event_key_jmespath="key", raise_on_no_idempotency_key=True)


def _record(key: str, payment: Payment) -> DataRecord:
    answer: dict[str, Any] = accepted(payment)
    return DataRecord(
        idempotency_key=key,
        status=STATUS_CONSTANTS["COMPLETED"],
        expiry_timestamp=None,
        response_data=json.dumps(answer),
    )
