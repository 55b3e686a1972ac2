"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools.event_handler import Response

from riel.errors import (
    BrokenError,
    MethodNotAllowedError,
    RielError,
    UnauthorizedError,
    UnavailableError,
)

_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
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


def is_plain_name(sent: str) -> bool:
    """Whether a sent name is repeated, so that a typo is found; nothing else sent ever is."""
    return _PLAIN_NAME.fullmatch(sent) is not None


def problem(error: RielError, request_id: str) -> Response[str]:
    """Word an error for the caller. A defect of ours tells its code alone."""
    detail = str(error) if error.status < 500 or isinstance(error, UnavailableError) else ""
    body = {
        # A reference relative to this server: its documentation explains every code but a defect's.
        "type": "about:blank" if isinstance(error, BrokenError) else f"/docs#{error.code}",
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
    headers: dict[str, str | list[str]] = {}
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allow
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'ApiKey realm="riel", header="X-API-Key"'
    return Response(
        status_code=error.status,
        content_type="application/problem+json",
        body=json.dumps(body, ensure_ascii=False),
        headers=headers,
    )
