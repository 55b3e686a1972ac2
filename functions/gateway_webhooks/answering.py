"""What a PSP is answered: 2xx for what is stored, a problem (RFC 9457) for anything else.

Nothing that was sent is repeated, neither in an answer nor in a log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.gateway_webhooks.request import Request
from riel.app import App
from riel.errors import BrokenError, RielError
from riel.observability import about, count, logger
from riel.problems import CONTENT_TYPE, problem_body, problem_headers
from riel.services.receive_gateway_event import receive_gateway_event

Answer = dict[str, Any]


def answer(app: App, request: Request) -> Answer:
    """Take the event of a request; no error leaves this as anything but a problem."""
    with about(request_id=request.request_id):
        try:
            made = _received(app, request)
        except RielError as error:
            if error.status >= 500:
                logger.warning("event not taken", extra={"code": error.code, "why": str(error)})
            made = _problem(error, request.request_id)
        except Exception:  # noqa: BLE001 - the last net: a 500 that says nothing, and an alarm
            logger.exception("defect")
            made = _problem(BrokenError(), request.request_id)
    if made["statusCode"] == 500:
        count("ApiDefect")
    count(f"RequestAnswered{made['statusCode'] // 100}xx")
    made["headers"] |= {"X-Request-Id": request.request_id, "Cache-Control": "no-store"}
    return made


def _received(app: App, request: Request) -> Answer:
    gateway = request.gateway()
    done = receive_gateway_event(app, gateway, request.headers, request.body(), request.traceparent)
    logger.info("event taken", extra={"gateway": gateway, "done": done})
    return _answer(200, "application/json", {"received": True})


def _problem(error: RielError, request_id: str) -> Answer:
    body = problem_body(error, request_id)
    return _answer(error.status, CONTENT_TYPE, body, problem_headers(error))


def _answer(
    status: int,
    content_type: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type, **(headers or {})},
        "body": json.dumps(body, ensure_ascii=False),
        "isBase64Encoded": False,
    }
