"""A refund to its item and back. Old items must stay readable: unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riel.domain.instants import from_text, to_text
from riel.domain.money import Money
from riel.domain.payment import Failure, waits_since, waits_why
from riel.domain.refund import Refund, RefundStatus, RefundTransition
from riel.store import keys
from riel.store.items import Item, from_item, to_item
from riel.store.payment_items import place, read_acknowledged, read_due

FINGERPRINT_VERSION = 1


def write_line(line: RefundTransition) -> dict[str, Any]:
    """One line of the history, packed."""
    told = {"n": line.sequence, "s": str(line.status), "at": to_text(line.at), "c": line.cause}
    return told | {"note": line.note} if line.note else told


def write_refund(refund: Refund) -> Item:
    """Write a new refund's whole item."""
    fields = {
        "pk": refund.payment_id,
        "sk": keys.refund(refund.refund_id),
        "refund_id": refund.refund_id,
        "merchant_id": refund.merchant_id,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
        "fingerprint": refund.fingerprint,
        "fingerprint_version": FINGERPRINT_VERSION,
        "gateway": refund.gateway,
        "reason": refund.reason,
        "traceparent": refund.traceparent,
        "history": [write_line(line) for line in refund.history],
        **changing_fields(refund),
    }
    return to_item(fields)


def read_refund(item: Mapping[str, Any]) -> Refund:
    """Read a refund from its item."""
    fields = from_item(item)
    failure = fields.get("failure")
    processed_at, attention_at = fields.get("processed_at"), fields.get("attention_at")
    return Refund(
        refund_id=fields["refund_id"],
        payment_id=fields["pk"],
        merchant_id=fields["merchant_id"],
        amount=Money(fields["amount_minor"], fields["currency"]),
        fingerprint=fields["fingerprint"],
        gateway=fields["gateway"],
        history=tuple(_read_line(line) for line in fields["history"]),
        reason=fields.get("reason", ""),
        traceparent=fields.get("traceparent", ""),
        processed_at=from_text(processed_at) if processed_at else None,
        failure=Failure(failure["code"], failure["message"]) if failure else None,
        gateway_reference=fields.get("gateway_reference"),
        attention=fields.get("attention"),
        attention_reason=fields.get("attention_reason"),
        attention_at=from_text(attention_at) if attention_at else None,
        acknowledged=read_acknowledged(fields),
        fence=fields.get("fence", 0),
        quiet_since_ms=fields.get("quiet_since", 0),
        unknown_outcomes=fields.get("unknown_outcomes", 0),
        look_ups=fields.get("look_ups", 0),
        not_before_ms=fields.get("not_before", 0),
        due_at=read_due(fields),
    )


def changing_fields(refund: Refund) -> dict[str, Any]:
    """The fields that a transition may change; None where there is nothing to say."""
    failure = refund.failure
    return {
        "status": str(refund.status),
        "sequence": refund.sequence,
        "processed_at": to_text(refund.processed_at) if refund.processed_at else None,
        "failure": {"code": failure.code, "message": failure.message} if failure else None,
        "gateway_reference": refund.gateway_reference,
        **attention_fields(refund),
        **index_fields(refund),
    }


def attention_fields(refund: Refund) -> dict[str, str | None]:
    """What a person should look at, if that is so."""
    at = refund.attention_at if refund.attention else None
    return {
        "attention": refund.attention,
        "attention_reason": refund.attention_reason,
        "attention_at": to_text(at) if at else None,
    }


def index_fields(refund: Refund) -> dict[str, str | None]:
    """Where the refund stands in the index of what is due or waits for a person, if it does."""
    subject = refund.payment_id, refund.refund_id
    if refund.due_at:
        return place(*keys.due_key(refund.due_at, refund.gateway, *subject))
    since = waits_since(refund)
    return place(*keys.review_key(waits_why(refund), since, *subject)) if since else place()


def _read_line(line: Mapping[str, Any]) -> RefundTransition:
    return RefundTransition(
        line["n"], RefundStatus(line["s"]), from_text(line["at"]), line["c"], line.get("note", "")
    )
