"""A payment to its item and back. Old items must stay readable: unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from riel.domain.instants import from_text, to_text
from riel.domain.money import Money
from riel.domain.payment import (
    Acknowledgement,
    Failure,
    Method,
    NextAction,
    Payment,
    Status,
    Transition,
    waits_since,
    waits_why,
)
from riel.store import keys
from riel.store.items import Item, from_fields, from_item, to_item

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
    attention_at = payment.attention_at if payment.attention else None
    return {
        "status": str(payment.status),
        "sequence": payment.sequence,
        "processed_at": to_text(payment.processed_at) if payment.processed_at else None,
        "failure": {"code": failure.code, "message": failure.message} if failure else None,
        "attention": payment.attention,
        "attention_reason": payment.attention_reason,
        "attention_at": to_text(attention_at) if attention_at else None,
        "received_minor": payment.received_minor or None,
        "gateway_reference": payment.gateway_reference,
        "next_action": _write_action(payment.next_action),
        "cancellation_id": payment.cancellation_id,
        **index_fields(payment),
    }


def index_fields(payment: Payment) -> dict[str, str | None]:
    """Where the payment stands in the index of what is due or waits for a person, if it does."""
    subject = payment.gateway, payment.payment_id
    since = waits_since(payment)
    if payment.due_at:
        key_of = keys.watched_key if since else keys.due_key
        return place(*key_of(payment.due_at, *subject))
    if since is None:
        return place()
    return place(*keys.review_key(waits_why(payment), since, payment.payment_id))


def place(due_pk: str | None = None, due_sk: str | None = None) -> dict[str, str | None]:
    """Word a place in the index, or none."""
    return {"due_pk": due_pk, "due_sk": due_sk}


def read_payment(item: Mapping[str, Any]) -> Payment:
    """Read a payment from its item."""
    fields = from_item(item)
    failure = fields.get("failure")
    processed_at, attention_at = fields.get("processed_at"), fields.get("attention_at")
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
        reserved_minor=fields.get("reserved_minor", 0),
        refund_count=fields.get("refund_count", 0),
        failure=Failure(failure["code"], failure["message"]) if failure else None,
        next_action=_read_action(fields.get("next_action")),
        attention=fields.get("attention"),
        attention_reason=fields.get("attention_reason"),
        attention_at=from_text(attention_at) if attention_at else None,
        acknowledged=read_acknowledged(fields),
        gateway_reference=fields.get("gateway_reference"),
        cancellation_id=fields.get("cancellation_id"),
        declines=tuple(fields.get("declines", ())),
        left_gateways=tuple(fields.get("left_gateways", ())),
        fence=fields.get("fence", 0),
        quiet_since_ms=fields.get("quiet_since", 0),
        unknown_outcomes=fields.get("unknown_outcomes", 0),
        look_ups=fields.get("look_ups", 0),
        not_before_ms=fields.get("not_before", 0),
        due_at=read_due(fields),
    )


def read_due(fields: Mapping[str, Any]) -> datetime | None:
    """When an item is due, from its key in the index."""
    if not keys.is_due(fields.get("due_pk", "")):
        return None
    return from_text(fields["due_sk"].partition("#")[0])


def read_acknowledged(fields: Mapping[str, Any]) -> tuple[Acknowledgement, ...]:
    """What operators have acknowledged of an item, the oldest first."""
    return tuple(
        Acknowledgement(done["what"], done["who"], done["why"], from_text(done["at"]))
        for done in fields.get("acknowledged", ())
    )


def _write_action(action: NextAction | None) -> dict[str, str] | None:
    if action is None:
        return None
    fields = {"reference": action.reference, "clabe": action.clabe}
    told = {name: value for name, value in fields.items() if value}
    return {"type": action.type, "expires_at": to_text(action.expires_at), **told}


def _read_action(fields: Mapping[str, str] | None) -> NextAction | None:
    if fields is None:
        return None
    return from_fields(NextAction, {**fields, "expires_at": from_text(fields["expires_at"])})


def _read_transition(line: Mapping[str, Any]) -> Transition:
    return Transition(
        line["n"], Status(line["s"]), from_text(line["at"]), line["c"], line.get("note", "")
    )
