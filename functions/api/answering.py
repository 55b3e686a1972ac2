"""What every answer has: its headers, and for what went wrong the words of `problems`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from functions.api.problems import problem
from functions.api.request import Request
from riel.errors import BrokenError, RielError
from riel.observability import about, count, logger

RATE_LIMIT_HEADERS = "rate_limit_headers"
"""Where a request keeps what its merchant's limit says, for its answer."""


def envelope(resolver: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Run a route, as Powertools' middleware."""
    return answered(resolver, lambda: next_middleware(resolver))


def answered(resolver: APIGatewayHttpResolver, make: Callable[[], Response[Any]]) -> Response[Any]:
    """Make an answer; no error leaves this as anything but a problem."""
    request_id = Request(resolver).request_id
    resolver.context.pop(RATE_LIMIT_HEADERS, None)
    with about(request_id=request_id):
        try:
            answer = make()
        except RielError as error:
            if error.status >= 500:
                logger.warning("request failed", extra={"code": error.code, "why": str(error)})
            answer = problem(error, request_id)
        except Exception:  # noqa: BLE001 - the last net: a 500 that says nothing, and an alarm
            logger.exception("defect")
            count("ApiDefect")
            answer = problem(BrokenError(), request_id)
        logger.remove_keys(["merchant_id"])
    count(f"RequestAnswered{answer.status_code // 100}xx")
    answer.headers["X-Request-Id"] = request_id
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.update(resolver.context.get(RATE_LIMIT_HEADERS, {}))
    return answer


def json_answer(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Make an answer of JSON; the same body is always the same bytes."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text_answer(status, "application/json", text, headers)


def text_answer(
    status: int, content_type: str, text: str, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Make an answer of text."""
    all_headers: dict[str, str | list[str]] = {**(headers or {})}
    return Response(status, content_type=content_type, body=text, headers=all_headers)
