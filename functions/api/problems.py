"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from riel.errors import (
    BrokenError,
    MethodNotAllowedError,
    RielError,
    UnauthorizedError,
    UnavailableError,
)


def problem(error: RielError, request_id: str) -> Response[str]:
    """Word an error for the caller. A defect of ours tells its code alone."""
    detail = str(error) if error.status < 500 or isinstance(error, UnavailableError) else ""
    body = {
        # A reference relative to this server: its documentation explains every code but a defect's.
        "type": "about:blank" if isinstance(error, BrokenError) else f"/docs#{error.code}",
        "title": HTTPStatus(error.status).phrase,
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
