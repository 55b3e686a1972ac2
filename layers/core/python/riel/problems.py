"""Errors as problems (RFC 9457): what every function answers that has something to say to a caller.

`problem_body` goes out as `application/problem+json`, with the headers of `problem_headers`.
"""

from __future__ import annotations

from typing import Any

from riel.errors import (
    BrokenError,
    MethodNotAllowedError,
    RielError,
    SignatureInvalidError,
    TimestampOutOfToleranceError,
    UnauthorizedError,
    UnavailableError,
)

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""The names of RFC 9110 and RFC 6585; those of Python change with its version."""


_UNDOCUMENTED = (BrokenError, SignatureInvalidError, TimestampOutOfToleranceError)
"""A defect, and what only a PSP is answered."""


def problem_body(error: RielError, request_id: str) -> dict[str, Any]:
    """Word an error for the caller. A defect of ours tells its code alone."""
    detail = str(error) if error.status < 500 or isinstance(error, UnavailableError) else ""
    return {
        # A reference relative to this server: its documentation explains what a merchant can meet.
        "type": "about:blank" if isinstance(error, _UNDOCUMENTED) else f"/docs#{error.code}",
        "title": TITLES[error.status],
        "status": error.status,
        "detail": detail or "something broke on our side; it was recorded",
        "code": error.code,
        "request_id": request_id,
        "errors": [
            {"field": p.field, "code": p.code, "message": p.message}
            for p in getattr(error, "problems", ())
        ],
    }


def problem_headers(error: RielError) -> dict[str, str]:
    """What an error says in headers: when to come back, which verbs there are, which key."""
    headers = {}
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allow
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'ApiKey realm="riel", header="X-API-Key"'
    return headers
