"""Every error that a caller can meet: its code, its status, what it means and what to do.

Read by the OpenAPI document and by the documentation page; a test compares the codes with those
that the code can really answer. A new code goes here first.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One value of a problem's `code`. `status` is the HTTP status that it comes with."""

    code: str
    status: int
    meaning: str
    action: str


@dataclass(frozen=True, slots=True)
class FieldCode:
    """One value of `code` inside a problem's `errors`."""

    code: str
    meaning: str


ERROR_CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        "malformed_request",
        400,
        "The body can not be read: it is not JSON, not UTF-8, not an object, nested too deeply, "
        "or repeats a key.",
        "Send one JSON object in UTF-8.",
    ),
    ErrorCode(
        "idempotency_key_missing",
        400,
        "A POST came without an `Idempotency-Key`.",
        "Send a new random value for each new request, and the same value for a retry.",
    ),
    ErrorCode(
        "idempotency_key_invalid",
        400,
        "The `Idempotency-Key` is not 1 to 255 printable ASCII characters.",
        "Send the value bare or as one quoted string; a UUID is fine.",
    ),
    ErrorCode(
        "invalid_parameter",
        400,
        "A query parameter is unknown, repeated or out of its range.",
        "Look at `errors` for the parameter's name.",
    ),
    ErrorCode(
        "invalid_cursor",
        400,
        "The cursor was changed, is older than a day, or belongs to another list or filter.",
        "Begin again without a cursor, with the filter that you want.",
    ),
    ErrorCode(
        "unauthorized",
        401,
        "The API key is missing, unknown or revoked.",
        "Send a key that is in force in `X-API-Key`.",
    ),
    ErrorCode(
        "not_found",
        404,
        "There is no such thing, or it belongs to another merchant or mode.",
        "Check the id, and that the key has the mode in which the payment was made.",
    ),
    ErrorCode(
        "method_not_allowed",
        405,
        "The path exists, but not with this method.",
        "Use one of the methods in the `Allow` header.",
    ),
    ErrorCode(
        "idempotency_key_in_use",
        409,
        "The first request with this key still runs.",
        "Wait as long as `Retry-After` says, then send the same request again.",
    ),
    ErrorCode(
        "duplicate_reference",
        409,
        "Another payment has this reference, and it has not failed, expired or been canceled.",
        "Look at the payment that the error names. Cancel it first if you mean to replace it.",
    ),
    ErrorCode(
        "invalid_state",
        409,
        "The payment is in a status in which this can not be done.",
        "`detail` tells when it can be done, and what is allowed now.",
    ),
    ErrorCode(
        "refund_exceeds_available",
        409,
        "More than what was received, less what other refunds have taken; pending ones count.",
        "`detail` tells how much can still be refunded. Use a new key for another amount.",
    ),
    ErrorCode(
        "event_expired",
        409,
        "The event is older than 14 days, so what was sent for it is no longer kept.",
        "Read the payment, which says what became of it.",
    ),
    ErrorCode(
        "payload_too_large",
        413,
        "The body has more than 64 KiB.",
        "Send less; keep long texts on your side.",
    ),
    ErrorCode(
        "unsupported_media_type",
        415,
        "The body is not announced as JSON, or it is compressed.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    ErrorCode(
        "validation_failed",
        422,
        "The body can be read, but fields break a rule.",
        "Look at `errors`: it has one entry for each field. The key stays free.",
    ),
    ErrorCode(
        "idempotency_key_reused",
        422,
        "The key was used before with another body. Nothing was changed.",
        "Use a new key for a new payment or refund.",
    ),
    ErrorCode(
        "rate_limited",
        429,
        "You have sent more requests than your limit allows.",
        "Wait as long as `Retry-After` says.",
    ),
    ErrorCode(
        "store_unavailable",
        503,
        "The database did not answer in time.",
        "Send the same request with the same key again, after `Retry-After`.",
    ),
    ErrorCode(
        "method_unavailable",
        503,
        "No gateway takes this method just now: none is configured, or it is switched off.",
        "Offer the payer another method, or try again later.",
    ),
    ErrorCode(
        "gateway_busy",
        503,
        "So many payments wait for this gateway that a new one would wait too long.",
        "Send the same request with the same key again, after `Retry-After`.",
    ),
)

FIELD_CODES: tuple[FieldCode, ...] = (
    FieldCode("required", "The field is missing."),
    FieldCode("unknown_field", "There is no such field; look for a typing error."),
    FieldCode("too_long", "The text has more characters than allowed."),
    FieldCode("too_short", "The text is empty."),
    FieldCode("too_many", "`metadata` has more than 50 pairs."),
    FieldCode(
        "amount_invalid",
        "Not a decimal string or integer above zero, or more decimals than the currency has.",
    ),
    FieldCode("amount_too_small", "Below the least that the method takes."),
    FieldCode("amount_too_large", "Above the most that the method takes, or over 12 digits."),
    FieldCode("currency_invalid", "Not a current ISO 4217 code, or not one for this method."),
    FieldCode("method_invalid", "There is no such method."),
    FieldCode("description_invalid", "Not a text."),
    FieldCode("metadata_invalid", "Not an object whose values are texts."),
    FieldCode("reference_invalid", "Not a text."),
    FieldCode("reason_invalid", "Not a text."),
    FieldCode("webhook_url_invalid", "Not a text."),
    FieldCode(
        "payment_method_token_invalid", "Letters, digits and `_ . : -` only; the PSP's token."
    ),
    FieldCode("character_invalid", "NUL, or half of a surrogate pair."),
    FieldCode("card_number_forbidden", "The text holds a card number. Send the PSP's token."),
    FieldCode("webhook_url_forbidden", "An address that Riel does not call."),
    FieldCode("duplicate_reference", "The reference is taken by the payment that is named."),
    FieldCode("idempotency_key_missing", "The header is missing."),
    FieldCode("idempotency_key_invalid", "The header can not be read."),
    FieldCode("invalid_parameter", "The parameter is unknown, repeated or out of its range."),
    FieldCode("invalid_cursor", "The cursor can not be used here."),
)


def codes_of(status: int) -> tuple[str, ...]:
    """Name the codes that come with an HTTP status."""
    return tuple(error.code for error in ERROR_CODES if error.status == status)
