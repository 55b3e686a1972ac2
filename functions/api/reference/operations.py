"""The operations of the document: one function for each path."""

from __future__ import annotations

from functions.api.reference import examples
from functions.api.reference.operation_parts import (
    KEY_CODES,
    SENT_WITH_POST,
    answer,
    operation,
    problems,
    shown_as,
)
from functions.api.reference.parts import ALWAYS, LIMITED, Json, headers, problem_response, ref
from functions.api.reference.webhook_operations import list_deliveries, redeliver


def paths() -> dict[str, Json]:
    """Every path that the API serves, with its operations."""
    return {
        "/api/v1/payments": {"post": _create_payment(), "get": _list_payments()},
        "/api/v1/payments/{payment_id}": {"get": _get_payment()},
        "/api/v1/payments/{payment_id}/cancel": {"post": _cancel_payment()},
        "/api/v1/payments/{payment_id}/refunds": {"post": _create_refund(), "get": _list_refunds()},
        "/api/v1/payments/{payment_id}/refunds/{refund_id}": {"get": _get_refund()},
        "/api/v1/payments/{payment_id}/deliveries": {"get": list_deliveries()},
        "/api/v1/payments/{payment_id}/deliveries/{delivery_id}/redeliver": {"post": redeliver()},
        "/api/v1/idempotency-keys/{key}": {"get": _get_idempotency_key()},
        "/health": {"get": _get_health()},
        "/openapi.json": {"get": _get_document()},
        "/docs": {"get": _get_docs()},
    }


def _links() -> Json:
    by_id = {"parameters": {"payment_id": "$response.body#/payment_id"}}
    return {
        "payment": {"operationId": "getPayment", **by_id},
        "cancellation": {"operationId": "cancelPayment", **by_id},
        "refund": {"operationId": "createRefund", **by_id},
    }


def _create_payment() -> Json:
    accepted = answer(
        "The payment is written down. Its outcome comes by webhook, or read it at Location.",
        "PaymentAccepted",
        {"accepted": examples.ACCEPTED},
        "Location",
        "Idempotent-Replayed",
        always=LIMITED,
    )
    cash = {"amount": "350.00", "currency": "MXN", "method": "oxxo", "reference": "order-124"}
    shown = {
        "card": examples.ORDER,
        "least": {"amount": "100.50", "currency": "MXN"},
        "cash": cash,
    }
    content = {"schema": ref("schemas", "CreatePaymentRequest"), "examples": shown_as(shown)}
    return operation(
        "createPayment",
        "Payments",
        "Create a payment",
        "Takes one payment. The answer comes as soon as the payment is stored; the charge follows"
        " at once. Send the same request with the same `Idempotency-Key` as often as you need to:"
        " it makes one payment and one charge.",
        parameters=SENT_WITH_POST,
        requestBody={"required": True, "content": {"application/json": content}},
        responses={
            202: {**accepted, "links": _links()},
            **problems(
                *(400, 401, 405, 409, 413, 415, 422, 429, 503),
                s400=("malformed_request", *KEY_CODES),
                s409=("idempotency_key_in_use", "duplicate_reference"),
            ),
        },
    )


def _list_payments() -> Json:
    page = answer(
        "One page, the newest first.", "PaymentPage", {"page": examples.PAGE}, always=LIMITED
    )
    return operation(
        "listPayments",
        "Payments",
        "List payments",
        "Your payments in the key's mode, the newest first. The list may lag behind by seconds.",
        parameters=("Limit", "Cursor", "StatusFilter", "CreatedFrom", "CreatedTo", "RequestId"),
        responses={
            200: page,
            **problems(
                *(400, 401, 405, 429, 503),
                s400=("invalid_parameter", "invalid_cursor"),
                s503=("store_unavailable",),
            ),
        },
    )


def _get_payment() -> Json:
    shown = answer(
        "The payment as it is now.", "Payment", {"payment": examples.PAYMENT}, always=LIMITED
    )
    return operation(
        "getPayment",
        "Payments",
        "Read a payment",
        "One payment with its whole history. Reads what was written last, without any lag.",
        parameters=("PaymentId", "RequestId"),
        responses={
            200: shown,
            **problems(*(401, 404, 405, 429, 503), s503=("store_unavailable",)),
        },
    )


def _cancel_payment() -> Json:
    canceled = answer(
        "The payment will not be charged.",
        "CancelAccepted",
        {"canceled": examples.CANCELED},
        "Location",
        "Idempotent-Replayed",
        always=LIMITED,
    )
    content = {"schema": ref("schemas", "EmptyRequest"), "examples": shown_as({"empty": {}})}
    return operation(
        "cancelPayment",
        "Payments",
        "Cancel a payment",
        "Works while no gateway has the payment yet (`pending`), and while the payer has not paid"
        " (`awaiting_payment`). When it races with the charge, one of the two wins; the loser is"
        " told by `409`. What has come for a canceled voucher, and what the payer brings all the"
        " same, goes back by a refund of ours. The body is empty, or an empty object.",
        parameters=("PaymentId", "IdempotencyKey", "RequestId"),
        requestBody={"required": False, "content": {"application/json": content}},
        responses={
            202: canceled,
            **problems(
                *(400, 401, 404, 405, 409, 413, 415, 422, 429, 503),
                s400=("malformed_request", *KEY_CODES),
                s409=("invalid_state", "idempotency_key_in_use"),
                s503=("store_unavailable",),
            ),
        },
    )


def _create_refund() -> Json:
    accepted = answer(
        "The refund is written down. Its outcome comes by webhook, or read it at Location.",
        "RefundAccepted",
        {"accepted": examples.REFUND_ACCEPTED},
        "Location",
        "Idempotent-Replayed",
        always=LIMITED,
    )
    shown = {"part": examples.REFUND_ORDER, "rest": {}}
    content = {"schema": ref("schemas", "CreateRefundRequest"), "examples": shown_as(shown)}
    return operation(
        "createRefund",
        "Refunds",
        "Refund a payment",
        "Gives back a part of what was received, or all that is left of it: without an amount,"
        " with an empty body too. Works for a `completed` payment, and for one that is `expired` or"
        " `canceled` after it was paid short. The amount is reserved at once, so refunds never"
        " exceed what was received, however many come at the same time; one that fails gives its"
        " amount free again. A payment takes 100 refunds.",
        parameters=("PaymentId", *SENT_WITH_POST),
        requestBody={"required": False, "content": {"application/json": content}},
        responses={
            202: {**accepted, "links": _refund_links()},
            **problems(
                *(400, 401, 404, 405, 409, 413, 415, 422, 429, 503),
                s400=("malformed_request", *KEY_CODES),
                s409=("invalid_state", "refund_exceeds_available", "idempotency_key_in_use"),
                s503=("store_unavailable",),
            ),
        },
    )


def _refund_links() -> Json:
    payment = {"payment_id": "$response.body#/payment_id"}
    both = {**payment, "refund_id": "$response.body#/refund_id"}
    return {
        "refund": {"operationId": "getRefund", "parameters": both},
        "refunds": {"operationId": "listRefunds", "parameters": payment},
    }


def _get_refund() -> Json:
    shown = answer(
        "The refund as it is now.", "Refund", {"refund": examples.REFUND}, always=LIMITED
    )
    return operation(
        "getRefund",
        "Refunds",
        "Read a refund",
        "One refund with its whole history. Reads what was written last, without any lag.",
        parameters=("PaymentId", "RefundId", "RequestId"),
        responses={
            200: shown,
            **problems(*(401, 404, 405, 429, 503), s503=("store_unavailable",)),
        },
    )


def _list_refunds() -> Json:
    found = answer(
        "All refunds of the payment.", "RefundList", {"refunds": examples.REFUNDS}, always=LIMITED
    )
    return operation(
        "listRefunds",
        "Refunds",
        "List a payment's refunds",
        "Every refund of one payment with its history, the oldest first. Reads what was written"
        " last, without any lag.",
        parameters=("PaymentId", "RequestId"),
        responses={
            200: found,
            **problems(*(401, 404, 405, 429, 503), s503=("store_unavailable",)),
        },
    )


def _get_idempotency_key() -> Json:
    state = answer(
        "What the key has made, so far.",
        "IdempotencyKeyState",
        {
            "completed": examples.KEY_STATE,
            "unknown": {"state": "unknown", "payment_id": None},
        },
        always=LIMITED,
    )
    return operation(
        "getIdempotencyKey",
        "Idempotency",
        "Look up an idempotency key",
        "Tells what a key of `POST /api/v1/payments` has made: for a program that lost the answer"
        " and the body of its request. `unknown` means that nothing has been stored under the key;"
        " a request that is still on its way may change that.",
        parameters=("KeyInPath", "RequestId"),
        responses={
            200: state,
            **problems(
                *(400, 401, 405, 429, 503),
                s400=KEY_CODES,
                s503=("store_unavailable",),
            ),
        },
    )


def _public(name: str, summary: str, description: str, responses: dict[int, Json]) -> Json:
    wrong_method = problem_response(405, is_limited=False)
    return operation(
        name, "Service", summary, description, responses={**responses, 405: wrong_method},
        security=[],
    )  # fmt: skip


def _get_health() -> Json:
    unavailable = answer(
        "Something that payments need does not answer.",
        "Health",
        {"unavailable": examples.UNHEALTHY},
        "Retry-After",
        always=ALWAYS,
    )
    fine = answer("All is well.", "Health", {"ok": examples.HEALTHY}, always=ALWAYS)
    return _public(
        "getHealth",
        "Health",
        "Tries what a payment needs, and names what fails. Needs no key.",
        {200: fine, 503: unavailable},
    )


def _get_document() -> Json:
    content = {"application/json": {"schema": {"type": "object"}}}
    found = {"description": "OpenAPI 3.1.", "headers": headers(ALWAYS), "content": content}
    return _public("getOpenApi", "The OpenAPI document", "Needs no key.", {200: found})


def _get_docs() -> Json:
    found = {
        "description": "A page that needs no script and loads nothing else.",
        "headers": headers((*ALWAYS, "Content-Security-Policy")),
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    return _public("getDocs", "The documentation", "This page. Needs no key.", {200: found})
