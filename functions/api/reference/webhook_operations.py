"""The operations about what a merchant was told."""

from __future__ import annotations

from functions.api.reference import examples
from functions.api.reference.operation_parts import KEY_CODES, answer, operation, problems, shown_as
from functions.api.reference.parts import LIMITED, Json, ref


def list_deliveries() -> Json:
    """`GET` of a payment's deliveries."""
    found = answer(
        "Every event that you are told.",
        "DeliveryList",
        {"deliveries": examples.DELIVERIES},
        always=LIMITED,
    )
    return operation(
        "listDeliveries",
        "Webhooks",
        "List a payment's webhooks",
        "Every event of the payment and of its refunds that goes to its `webhook_url`, the oldest"
        " first, with each try and what your endpoint answered: also an event that has not been"
        " tried yet. Reads what was written last, without any lag.",
        parameters=("PaymentId", "RequestId"),
        responses={
            200: found,
            **problems(*(401, 404, 405, 429, 503), s503=("store_unavailable",)),
        },
    )


def redeliver() -> Json:
    """`POST` to a delivery's `redeliver`."""
    accepted = answer(
        "The event is sent again. What becomes of it can be read at Location.",
        "RedeliveryAccepted",
        {"accepted": examples.REDELIVERED},
        "Location",
        "Idempotent-Replayed",
        always=LIMITED,
    )
    content = {"schema": ref("schemas", "EmptyRequest"), "examples": shown_as({"empty": {}})}
    return operation(
        "redeliver",
        "Webhooks",
        "Send a webhook again",
        "Sends one event again at once, or in its turn where its host is slow, with the same body"
        " and the same `webhook-id`, and retries it by the schedule from its beginning. Works in"
        " every state, for 14 days after the event: for one that waits, one that you have lost, and"
        " one whose endpoint was stopped, which its success opens again. The body is empty, or an"
        " empty object.",
        parameters=("PaymentId", "DeliveryId", "IdempotencyKey", "RequestId"),
        requestBody={"required": False, "content": {"application/json": content}},
        responses={
            202: accepted,
            **problems(
                *(400, 401, 404, 405, 409, 413, 415, 422, 429, 503),
                s400=("malformed_request", *KEY_CODES),
                s409=("event_expired", "idempotency_key_in_use"),
                s503=("store_unavailable",),
            ),
        },
    )
