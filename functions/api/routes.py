"""The routes of the API: headers and bodies in, services called, answers out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from functions.api.idempotency_key import read_key
from functions.api.problems import RETRY_AFTER_SECONDS, problem
from functions.api.schemas import read_order
from riel.app import App
from riel.errors import (
    BrokenError,
    MethodNotAllowedError,
    NotFoundError,
    RielError,
    UnsupportedMediaTypeError,
)
from riel.observability import about, count, logger
from riel.services.create_payment import PaymentCreator
from riel.services.health import check_health
from riel.services.merchants import authenticate
from riel.services.read_payment import payment_view, read_payment

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_PAYMENTS = "/api/v1/payments"


def build(app: App) -> tuple[APIGatewayHttpResolver, PaymentCreator]:
    """Build the resolver over one app, and the creator whose deadline each request sets."""
    resolver = APIGatewayHttpResolver()
    create_payment = PaymentCreator(app)
    resolver.use(middlewares=[_envelope])

    @resolver.post(_PAYMENTS)
    def post_payment() -> Response[str]:
        caller = authenticate(app, _header(resolver, "x-api-key"))
        key = read_key(_header(resolver, "idempotency-key"))
        _require_json(resolver)
        order = read_order(_body(resolver), allow_loopback=app.config.loopback_webhooks)
        accepted = create_payment(caller, key, order, _traceparent(resolver))
        headers = {"Location": f"{_PAYMENTS}/{accepted.answer['payment_id']}"}
        if accepted.is_replay:
            headers["Idempotent-Replayed"] = "true"
        return _json(202, accepted.answer, headers)

    @resolver.get(_PAYMENTS + "/<payment_id>")
    def get_payment(payment_id: str) -> Response[str]:
        caller = authenticate(app, _header(resolver, "x-api-key"))
        return _json(200, payment_view(read_payment(app, caller, payment_id)))

    @resolver.get("/health")
    def get_health() -> Response[str]:
        health = check_health(app)
        if health["status"] == "ok":
            return _json(200, health)
        return _json(503, health, {"Retry-After": RETRY_AFTER_SECONDS})

    _handle_the_rest(app, resolver)
    return resolver, create_payment


def _handle_the_rest(app: App, resolver: APIGatewayHttpResolver) -> None:
    @resolver.not_found
    def not_found(_: Exception) -> Response[str]:
        request_id = _request_id(resolver)
        error = _why_not_found(app, resolver)
        answer = problem(error, request_id)
        if isinstance(error, MethodNotAllowedError):
            answer.headers["Allow"] = error.allow
        return _finish(answer, request_id)


def _why_not_found(app: App, resolver: APIGatewayHttpResolver) -> RielError:
    path, method = resolver.current_event.path, resolver.current_event.http_method
    is_payment = path.startswith(_PAYMENTS + "/") and "/" not in path[len(_PAYMENTS) + 1 :]
    if is_payment and method == "GET":
        # An id that Powertools' routes do not even match is an unknown id like any other.
        try:
            authenticate(app, _header(resolver, "x-api-key"))
        except RielError as error:
            return error
        return NotFoundError("no such payment")
    allow = "GET" if is_payment else {_PAYMENTS: "POST", "/health": "GET"}.get(path)
    return MethodNotAllowedError(allow) if allow else NotFoundError("no such path")


def _envelope(resolver: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    request_id = _request_id(resolver)
    with about(request_id=request_id):
        try:
            answer = next_middleware(resolver)
        except RielError as error:
            if error.status >= 500:
                logger.warning("request failed", extra={"code": error.code, "why": str(error)})
            answer = problem(error, request_id)
        except Exception:  # noqa: BLE001 - the last net: a 500 that says nothing, and an alarm
            logger.exception("defect")
            count("ApiDefect")
            answer = problem(BrokenError(), request_id)
    count(f"RequestAnswered{answer.status_code // 100}xx")
    return _finish(answer, request_id)


def _finish(answer: Response[Any], request_id: str) -> Response[Any]:
    answer.headers["X-Request-Id"] = request_id
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _header(resolver: APIGatewayHttpResolver, name: str) -> str | None:
    headers: Mapping[str, str] = resolver.current_event.headers
    return headers.get(name)


def _request_id(resolver: APIGatewayHttpResolver) -> str:
    sent = _header(resolver, "x-request-id") or ""
    return (
        sent if _REQUEST_ID.fullmatch(sent) else resolver.current_event.request_context.request_id
    )


def _traceparent(resolver: APIGatewayHttpResolver) -> str:
    sent = _header(resolver, "traceparent") or ""
    return sent if _TRACEPARENT.fullmatch(sent) else ""


def _require_json(resolver: APIGatewayHttpResolver) -> None:
    kind = (_header(resolver, "content-type") or "").split(";")[0].strip().lower()
    encoding = (_header(resolver, "content-encoding") or "identity").strip().lower()
    if kind != "application/json" or encoding != "identity":
        raise UnsupportedMediaTypeError("send Content-Type: application/json, not compressed")


def _body(resolver: APIGatewayHttpResolver) -> bytes:
    # Not Powertools' `decoded_body`, which fails for bytes that are not UTF-8.
    event = resolver.current_event
    text: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text)
    return text.encode("utf-8", "surrogatepass")


def _json(
    status: int, body: Mapping[str, Any], headers: dict[str, str] | None = None
) -> Response[str]:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    all_headers: dict[str, str | list[str]] = {**(headers or {})}
    return Response(status, content_type="application/json", body=text, headers=all_headers)
