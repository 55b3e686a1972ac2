"""The webhooks of the document: every event that a merchant is told."""

from __future__ import annotations

from functions.api.reference import examples
from functions.api.reference.parts import Json, ref
from riel.domain.events import MERCHANT_EVENTS, REFUND_EVENTS

_SIGNED = {
    "webhook-id": ("The event's id: the same for every attempt.", examples.EVENT_ID),
    "webhook-timestamp": ("When this attempt was made, in seconds since 1970.", "1776427202"),
    "webhook-signature": (
        "`v1,` and the base 64 of HMAC-SHA256 over `id.timestamp.body`; two of them, with a space"
        " between, while a secret is rotated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_TELLS = {
    "payment.completed": "The money has arrived. Look at `attention` before you deliver:"
    " `late_payment` came after the payment had expired or you had canceled it (then it goes back),"
    " `overpaid` and `underpaid` are not the amount that you asked for.",
    "payment.failed": "The payment failed and no money moved. Only where `payment.in_review` came"
    " before it may have moved: then a person decided, and sees to it with the gateway.",
    "payment.awaiting_payment": "The payer has what is needed to pay, and has not paid yet.",
    "payment.expired": "The payer did not pay in time. What came short of the amount is"
    " `received_amount`, and you can refund it.",
    "payment.canceled": "The payment was canceled before it was paid. What came for it goes back.",
    "payment.in_review": "The gateway contradicts itself or stays silent: a person decides. Do not"
    " deliver, and do not charge again.",
    "refund.completed": "The gateway has given the money back.",
    "refund.failed": "The gateway has refused to give the money back. The amount can be refunded"
    " again.",
}


def webhooks() -> dict[str, Json]:
    """Every event that Riel sends to a merchant's `webhook_url`."""
    shown = [
        ("Event", kind, examples.event(kind, status)) for status, kind in MERCHANT_EVENTS.items()
    ]
    shown += [
        ("RefundEvent", kind, examples.refund_event(kind, status))
        for status, kind in REFUND_EVENTS.items()
    ]
    return {kind: {"post": _event(schema, kind, example)} for schema, kind, example in shown}


def _event(name: str, kind: str, example: Json) -> Json:
    signed = [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, (description, example) in _SIGNED.items()
    ]
    body = {"type": "object", "properties": {"type": {"const": kind}}}
    schema = {"allOf": [ref("schemas", name), body]}
    content = {"schema": schema, "example": example}
    return {
        "operationId": "on" + "".join(p.title() for p in kind.replace(".", "_").split("_")),
        "tags": ["Events"],
        "summary": kind,
        "description": _TELLS[kind],
        "security": [],
        "parameters": signed,
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "2XX": {"description": "Received. It will not be sent again."},
            "410": {"description": "Not wanted any more. Nothing more is sent to this URL."},
            "default": {"description": "Not received. It is sent again later."},
        },
    }
