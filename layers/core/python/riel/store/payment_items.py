"""A payment to its item and back. Old items must stay readable: unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riel.domain.instants import from_text, to_text
from riel.domain.money import Money
from riel.domain.payment import Failure, Method, Payment, Status, Transition
from riel.store import keys
from riel.store.items import Item, from_item, to_item

FINGERPRINT_VERSION = 1


def write_transition(transition: Transition) -> dict[str, Any]:
    """One line of the history, packed."""
    line: dict[str, Any] = {
        "n": transition.sequence,
        "s": str(transition.status),
        "at": to_text(transition.at),
        "c": transition.cause,
    }
    return line | {"note": transition.note} if transition.note else line


def write_payment(payment: Payment, listing_shards: int = 1) -> Item:
    """Write a new payment's whole item, to be listed in one of the merchant's shards."""
    listing_pk, listing_sk = keys.listing_key(
        payment.merchant_id,
        payment.livemode,
        listing_shards,
        payment.created_at,
        payment.payment_id,
    )
    fields = {
        "pk": payment.payment_id,
        "sk": keys.PAYMENT,
        "listing_pk": listing_pk,
        "listing_sk": listing_sk,
        "merchant_id": payment.merchant_id,
        "livemode": payment.livemode,
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
        "method": str(payment.method),
        "gateway": payment.gateway,
        "idempotency_key": payment.idempotency_key,
        "fingerprint": payment.fingerprint,
        "fingerprint_version": FINGERPRINT_VERSION,
        "description": payment.description,
        "metadata": payment.metadata or None,
        "webhook_url": payment.webhook_url,
        "payment_method_token": payment.payment_method_token,
        "reference": payment.reference,
        "traceparent": payment.traceparent,
        "history": [write_transition(line) for line in payment.history],
        **changing_fields(payment),
    }
    return to_item(fields)


def changing_fields(payment: Payment) -> dict[str, Any]:
    """The fields that a transition may change; None or 0 where there is nothing to say."""
    failure = payment.failure
    return {
        "status": str(payment.status),
        "sequence": payment.sequence,
        "processed_at": to_text(payment.processed_at) if payment.processed_at else None,
        "failure": {"code": failure.code, "message": failure.message} if failure else None,
        "attention": payment.attention,
        "attention_reason": payment.attention_reason,
        "received_minor": payment.received_minor or None,
        "gateway_reference": payment.gateway_reference,
        "cancellation_id": payment.cancellation_id,
    }


def read_payment(item: Mapping[str, Any]) -> Payment:
    """Read a payment from its item."""
    fields = from_item(item)
    failure = fields.get("failure")
    processed_at = fields.get("processed_at")
    return Payment(
        payment_id=fields["pk"],
        merchant_id=fields["merchant_id"],
        livemode=fields["livemode"],
        amount=Money(fields["amount_minor"], fields["currency"]),
        method=Method(fields["method"]),
        gateway=fields["gateway"],
        idempotency_key=fields["idempotency_key"],
        fingerprint=fields["fingerprint"],
        history=tuple(_read_transition(line) for line in fields["history"]),
        description=fields.get("description", ""),
        metadata=fields.get("metadata", {}),
        webhook_url=fields.get("webhook_url"),
        payment_method_token=fields.get("payment_method_token"),
        reference=fields.get("reference"),
        traceparent=fields.get("traceparent", ""),
        processed_at=from_text(processed_at) if processed_at else None,
        received_minor=fields.get("received_minor", 0),
        refunded_minor=fields.get("refunded_minor", 0),
        failure=Failure(failure["code"], failure["message"]) if failure else None,
        attention=fields.get("attention"),
        attention_reason=fields.get("attention_reason"),
        gateway_reference=fields.get("gateway_reference"),
        cancellation_id=fields.get("cancellation_id"),
        charge_number=fields.get("charge_number", 1),
        fence=fields.get("fence", 0),
        unknown_outcomes=fields.get("unknown_outcomes", 0),
    )


def _read_transition(line: Mapping[str, Any]) -> Transition:
    return Transition(
        line["n"], Status(line["s"]), from_text(line["at"]), line["c"], line.get("note", "")
    )
