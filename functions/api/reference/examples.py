"""One small story for all examples: a shop takes 100.50 pesos for order 123."""

from __future__ import annotations

from typing import Any

from riel.domain.payment import FINAL

PAYMENT_ID = "pay_auoaruicx5lfxt2ipic323tj22"
CREATED_AT = "2026-04-17T12:00:00.000Z"
PROCESSED_AT = "2026-04-17T12:00:02.310Z"
REQUEST_ID = "JKJaXmPLvHcESHA="
IDEMPOTENCY_KEY = "order-123-attempt-1"
CURSOR = "eyJ2IjoxLCJwIjoiMjAyNi0wNC0xN1QxMjowMDowMC4wMDBaI3BheV9hdW9hIn0"

ORDER: dict[str, Any] = {
    "amount": "100.50",
    "currency": "MXN",
    "description": "Order #123",
    "metadata": {"order_id": "123"},
    "webhook_url": "https://example.com/webhook",
    "method": "card",
    "payment_method_token": "tok_ok",
    "reference": "order-123",
}
ACCEPTED = {"payment_id": PAYMENT_ID, "status": "pending", "created_at": CREATED_AT}
PAYMENT: dict[str, Any] = {
    "id": PAYMENT_ID,
    "amount": "100.50",
    "currency": "MXN",
    "description": "Order #123",
    "metadata": {"order_id": "123"},
    "status": "completed",
    "livemode": False,
    "method": "card",
    "gateway": "simulator",
    "reference": "order-123",
    "received_amount": "100.50",
    "idempotency_key": IDEMPOTENCY_KEY,
    "webhook_url": "https://example.com/webhook",
    "created_at": CREATED_AT,
    "processed_at": PROCESSED_AT,
    "refunded_amount": "0.00",
    "failure": None,
    "next_action": None,
    "attention": None,
    "history": [
        {"sequence": 1, "status": "pending", "at": CREATED_AT, "cause": "created"},
        {
            "sequence": 2,
            "status": "processing",
            "at": "2026-04-17T12:00:00.140Z",
            "cause": "claimed",
        },
        {"sequence": 3, "status": "completed", "at": PROCESSED_AT, "cause": "gateway_charged"},
    ],
}
PAGE = {"data": [PAYMENT], "has_more": True, "next_cursor": CURSOR}
CANCELED = {"payment_id": PAYMENT_ID, "status": "canceled"}
REFUND_ID = "re_3klmtk5gmqvu2uv5s7plnxsxmc"
REFUNDED_AT = "2026-04-18T09:30:01.870Z"
REFUND_ORDER: dict[str, Any] = {"amount": "40.00", "reason": "One item was out of stock."}
_REFUND_AS_SENT = {
    "refund_id": REFUND_ID,
    "payment_id": PAYMENT_ID,
    "amount": "40.00",
    "currency": "MXN",
}
_REFUND_CREATED_AT = "2026-04-18T09:30:00.000Z"
REFUND_ACCEPTED = {
    **_REFUND_AS_SENT,
    "status": "pending",
    "reason": REFUND_ORDER["reason"],
    "created_at": _REFUND_CREATED_AT,
}
REFUND: dict[str, Any] = {
    **REFUND_ACCEPTED,
    "status": "completed",
    "processed_at": REFUNDED_AT,
    "failure": None,
    "history": [
        {"sequence": 1, "status": "pending", "at": _REFUND_CREATED_AT, "cause": "created"},
        {
            "sequence": 2,
            "status": "processing",
            "at": "2026-04-18T09:30:00.150Z",
            "cause": "claimed",
        },
        {"sequence": 3, "status": "completed", "at": REFUNDED_AT, "cause": "gateway_refunded"},
    ],
}
REFUNDS = {"data": [REFUND]}
EVENT_ID = "evt_mzq3cbf2xkcvnr5cdqk7sxdgmu"
DELIVERIES: dict[str, Any] = {
    "data": [
        {
            "delivery_id": EVENT_ID,
            "type": "payment.completed",
            "state": "delivered",
            "failure": None,
            "sequence": 3,
            "refund_id": None,
            "created_at": PROCESSED_AT,
            "next_attempt_at": None,
            "attempt_count": 2,
            "attempts": [
                {
                    "at": "2026-04-17T12:00:02.310Z",
                    "status": None,
                    "latency_ms": 12,
                    "error": "connection_failed",
                    "answer": None,
                },
                {
                    "at": "2026-04-17T12:00:03.280Z",
                    "status": 200,
                    "latency_ms": 48,
                    "error": None,
                    "answer": "ok",
                },
            ],
        }
    ]
}
REDELIVERED = {"delivery_id": EVENT_ID, "state": "pending"}
KEY_STATE = {"state": "completed", "payment_id": PAYMENT_ID}
HEALTHY = {
    "status": "ok",
    "version": "0.1.0",
    "stage": "local",
    "checks": {"payments": "ok", "merchants": "ok"},
}
UNHEALTHY = {
    **HEALTHY,
    "status": "unavailable",
    "checks": {"payments": "ProvisionedThroughputExceededException", "merchants": "ok"},
}
PROBLEMS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "malformed_request": ("a key is repeated in an object", ()),
    "idempotency_key_missing": (
        "every POST needs an Idempotency-Key header",
        (("Idempotency-Key", "idempotency_key_missing", "send a new random value"),),
    ),
    "invalid_parameter": (
        "limit: a whole number from 1 to 100",
        (("limit", "invalid_parameter", "a whole number from 1 to 100"),),
    ),
    "unauthorized": ("the API key in X-API-Key is unknown or revoked", ()),
    "not_found": ("no such payment", ()),
    "method_not_allowed": ("this path has GET only", ()),
    "idempotency_key_in_use": ("the first request with this Idempotency-Key still runs", ()),
    "duplicate_reference": (
        f"the payment {PAYMENT_ID} has this reference already",
        (("reference", "duplicate_reference", f"taken by {PAYMENT_ID}"),),
    ),
    "invalid_state": (
        "the payment is completed; it can be canceled while it is pending or awaiting_payment;"
        " allowed now: refund",
        (),
    ),
    "refund_exceeds_available": ("60.50 MXN can still be refunded", ()),
    "event_expired": ("the event is older than 14 days: what was sent is no longer kept", ()),
    "payload_too_large": ("the body may have at most 65536 bytes", ()),
    "unsupported_media_type": ("send Content-Type: application/json, not compressed", ()),
    "validation_failed": (
        "amount: MXN has 2 decimals, not more",
        (("amount", "amount_invalid", "MXN has 2 decimals, not more"),),
    ),
    "rate_limited": ("over this merchant's limit of requests; try again in 3 s", ()),
    "store_unavailable": ("ThrottlingException", ()),
    "gateway_busy": ("too many payments wait for simulator; try again in 12 s", ()),
}
"""What an error says in its example: the detail, and field, code and message of `errors`."""


def problem(code: str, status: int, title: str) -> dict[str, Any]:
    """Write the body of one error."""
    detail, fields = PROBLEMS[code]
    return {
        "type": f"/docs#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": REQUEST_ID,
        "errors": [{"field": f, "code": c, "message": m} for f, c, m in fields],
    }


def event(kind: str, status: str) -> dict[str, Any]:
    """Write the body of one webhook."""
    data = {
        "payment_id": PAYMENT_ID,
        "status": status,
        "processed_at": PROCESSED_AT if status in FINAL else None,
        "amount": "100.50",
        "currency": "MXN",
        "received_amount": "100.50" if status == "completed" else "0.00",
        "attention": None,
        "sequence": 3,
        "metadata": {"order_id": "123"},
    }
    return {"type": kind, "timestamp": PROCESSED_AT, "data": data}


def refund_event(kind: str, status: str) -> dict[str, Any]:
    """Write the body of one webhook about a refund."""
    data = {
        **_REFUND_AS_SENT,
        "status": status,
        "processed_at": REFUNDED_AT,
        "sequence": 3,
        "metadata": {"order_id": "123"},
    }
    return {"type": kind, "timestamp": REFUNDED_AT, "data": data}
