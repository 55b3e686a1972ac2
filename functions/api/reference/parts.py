"""Parameters, headers and error answers: what many operations of the document share."""

from __future__ import annotations

from typing import Any

from functions.api.reference import examples
from functions.api.reference.error_codes import FIELD_CODES, codes_of
from riel.problems import TITLES

Json = dict[str, Any]
PROBLEM_JSON = "application/problem+json"
_KEY_PATTERN = r'^(?:[!#-~][ -~]{0,254}|"(?:[ !#-\[\]-~]|\\["\\]){1,255}")$'


def ref(section: str, name: str) -> Json:
    """Point to a component."""
    return {"$ref": f"#/components/{section}/{name}"}


def _parameter(name: str, place: str, schema: Json, description: str, **more: Any) -> Json:
    is_required = {"required": True} if more.pop("required", False) else {}
    return {
        "name": name,
        "in": place,
        "description": description,
        **is_required,
        "schema": schema,
        **more,
    }


_INSTANT: Json = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
}
PARAMETERS: dict[str, Json] = {
    "IdempotencyKey": _parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "pattern": _KEY_PATTERN},
        "Names this request, so that a retry is no second payment: 1 to 255 printable ASCII"
        " characters, bare or as one quoted string.",
        required=True,
        example=examples.IDEMPOTENCY_KEY,
    ),
    "RequestId": _parameter(
        "X-Request-Id",
        "header",
        {"type": "string"},
        "Your own id for this request: letters, digits and `. _ : -`, at most 128. It comes back"
        " in the answer and stands in our logs. Anything else is replaced by an id of ours.",
    ),
    "Traceparent": _parameter(
        "traceparent",
        "header",
        {"type": "string"},
        "W3C Trace Context. It travels with the payment to its webhook; ignored where malformed.",
    ),
    "PaymentId": _parameter(
        "payment_id",
        "path",
        {"type": "string", "pattern": r"^pay_[a-z2-7]{26}$"},
        "The payment's id. A malformed id is an unknown id.",
        required=True,
        example=examples.PAYMENT_ID,
    ),
    "RefundId": _parameter(
        "refund_id",
        "path",
        {"type": "string", "pattern": r"^re_[a-z2-7]{26}$"},
        "The refund's id. A malformed id is an unknown id.",
        required=True,
        example=examples.REFUND_ID,
    ),
    "DeliveryId": _parameter(
        "delivery_id",
        "path",
        {"type": "string", "pattern": r"^evt_[a-z2-7]{26}$"},
        "The event's id, which comes as its `webhook-id`. A malformed id is an unknown id.",
        required=True,
        example=examples.EVENT_ID,
    ),
    "KeyInPath": _parameter(
        "key",
        "path",
        {"type": "string", "pattern": r"^[!#-~][ -~]{0,254}$"},
        "The Idempotency-Key that was sent, percent-encoded.",
        required=True,
        example=examples.IDEMPOTENCY_KEY,
    ),
    "Limit": _parameter(
        "limit",
        "query",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        "How many payments a page may have.",
    ),
    "Cursor": _parameter(
        "cursor",
        "query",
        {"type": "string"},
        "`next_cursor` of the page before; keep the filter as it was.",
        example=examples.CURSOR,
    ),
    "StatusFilter": _parameter(
        "status",
        "query",
        ref("schemas", "Status"),
        "Only payments that have this status now.",
    ),
    "CreatedFrom": _parameter(
        "created_from",
        "query",
        _INSTANT,
        "Only payments made at this time or later: a date, or a date-time of RFC 3339.",
        example="2026-04-01",
    ),
    "CreatedTo": _parameter(
        "created_to",
        "query",
        _INSTANT,
        "Only payments made before this time: a date, or a date-time of RFC 3339.",
        example="2026-05-01",
    ),
}


def _header(description: str, schema: Json, example: Any, *, required: bool = False) -> Json:
    is_required = {"required": True} if required else {}
    return {"description": description, **is_required, "schema": schema, "example": example}


HEADERS: dict[str, Json] = {
    "X-Request-Id": _header(
        "Yours, where you sent a valid one; else ours. Tell it when you ask for help.",
        {"type": "string", "minLength": 1, "maxLength": 128},
        examples.REQUEST_ID,
        required=True,
    ),
    "Cache-Control": _header(
        "Whether the answer may be kept; `no-store` for all that needs an API key.",
        {"type": "string"},
        "no-store",
        required=True,
    ),
    "Idempotent-Replayed": _header(
        "`true` on the answer to a repeat; else the header is absent.",
        {"type": "string", "enum": ["true"]},
        "true",
    ),
    "Location": _header(
        "Where what was made can be read.",
        {"type": "string", "format": "uri-reference"},
        f"/api/v1/payments/{examples.PAYMENT_ID}",
        required=True,
    ),
    "Retry-After": _header(
        "Seconds to wait before the same request has a chance.",
        {"type": "integer", "minimum": 1},
        1,
        required=True,
    ),
    "RetryAfterInFlight": _header(
        "Seconds to wait; comes with `idempotency_key_in_use` only.",
        {"type": "integer", "minimum": 1},
        1,
    ),
    "RateLimit": _header(
        "What is left of the limit, and in how many seconds it is full again"
        " (draft-ietf-httpapi-ratelimit-headers).",
        {"type": "string"},
        '"default";r=487;t=5',
    ),
    "RateLimit-Policy": _header(
        "The limit itself: so many requests in so many seconds.",
        {"type": "string"},
        '"default";q=500;w=5',
    ),
    "Allow": _header(
        "The methods that this path has.", {"type": "string"}, "GET, POST", required=True
    ),
    "WWW-Authenticate": _header(
        "How to authenticate.",
        {"type": "string"},
        'ApiKey realm="riel", header="X-API-Key"',
        required=True,
    ),
    "Content-Security-Policy": _header(
        "Allows the page's own style and nothing else.",
        {"type": "string"},
        "default-src 'none'; style-src 'sha256-…'",
        required=True,
    ),
}
ALWAYS = ("X-Request-Id", "Cache-Control")
LIMITED = (*ALWAYS, "RateLimit", "RateLimit-Policy")
"""On answers to a caller who is known; a limiter that is out of order leaves its two away."""


def headers(names: tuple[str, ...]) -> Json:
    """Point to headers by name."""
    return {name: ref("headers", name) for name in names}


_MEANINGS = {
    400: "A header, a parameter or the body can not be read.",
    401: "The API key is missing, unknown or revoked.",
    404: "Unknown here, or another merchant's.",
    405: "Another method was used on this path.",
    409: "In conflict with what happened before.",
    413: "The body is too large.",
    415: "The body is not announced as JSON.",
    422: "Fields break a rule, or the key was used with another body.",
    429: "Over your limit of requests.",
    503: "Nothing happened; later it may.",
}
_OWN_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
_ANSWERED_BY_GATEWAY = frozenset({413, 429, 503})


def problem_response(status: int, codes: tuple[str, ...] = (), *, is_limited: bool = True) -> Json:
    """Describe an error answer; `codes` are those that this operation can give."""
    codes = codes or codes_of(status)
    names = LIMITED if is_limited and status not in (401, 405) else ALWAYS
    found = headers((*names, _OWN_HEADERS[status]) if status in _OWN_HEADERS else names)
    if "idempotency_key_in_use" in codes:
        found["Retry-After"] = ref("headers", "RetryAfterInFlight")
        found["Idempotent-Replayed"] = ref("headers", "Idempotent-Replayed")
    title = TITLES[status]
    shown = {
        code: {"value": examples.problem(code, status, title)}
        for code in codes
        if code in examples.PROBLEMS
    }
    content: Json = {PROBLEM_JSON: {"schema": _narrowed(status, codes), "examples": shown}}
    if status in _ANSWERED_BY_GATEWAY:
        content["application/json"] = {"schema": ref("schemas", "GatewayMessage")}
    return {"description": _MEANINGS[status], "headers": found, "content": content}


def _narrowed(status: int, codes: tuple[str, ...]) -> Json:
    known = {"status": {"const": status}, "code": {"enum": list(codes)}}
    return {"allOf": [ref("schemas", "Problem"), {"type": "object", "properties": known}]}


GATEWAY_MESSAGE: Json = {
    "type": "object",
    "description": "What API Gateway itself answers, before Riel sees the request: over 10 MB, "
    "over the limit of the whole API, or too late.",
    "properties": {"message": {"type": "string", "description": "What happened."}},
    "required": ["message"],
}


def field_code_schema() -> Json:
    """Enumerate the codes of fields."""
    return {
        "type": "string",
        "description": "The reason, for programs. More may be added.",
        "enum": [field.code for field in FIELD_CODES],
    }
