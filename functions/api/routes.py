"""The paths of the merchants' API: read the request, call one service, word the answer.

What only some routes need is imported where they use it, so that a cold start for
`POST /api/v1/payments` does not pay for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.api.answering import (
    RATE_LIMIT_HEADERS,
    answered,
    envelope,
    json_answer,
    text_answer,
)
from functions.api.idempotency_key import read_header, read_key
from functions.api.problems import problem
from functions.api.request import Request
from functions.api.schemas import read_nothing, read_order
from riel.app import App
from riel.errors import (
    EventExpiredError,
    InvalidStateError,
    MethodNotAllowedError,
    NotFoundError,
    RateLimitedError,
)
from riel.observability import logger
from riel.services.authenticate import authenticate
from riel.services.create_payment import PaymentCreator
from riel.services.rate_limit import check_rate, rate_limit_headers, refused

if TYPE_CHECKING:
    from riel.errors import ConflictError
    from riel.store.merchants import Caller

BASE = "/api/v1"
_PAYMENTS = f"{BASE}/payments"
_KEYS = f"{BASE}/idempotency-keys"
_VERBS = (
    (_PAYMENTS, "GET, POST"),
    (f"{_PAYMENTS}/[^/]*/cancel", "POST"),
    (f"{_PAYMENTS}/[^/]*/refunds", "GET, POST"),
    (f"{_PAYMENTS}/[^/]*/refunds/[^/]*", "GET"),
    (f"{_PAYMENTS}/[^/]*/deliveries", "GET"),
    (f"{_PAYMENTS}/[^/]*/deliveries/[^/]*/redeliver", "POST"),
    (f"{_PAYMENTS}/[^/]*", "GET"),
    (f"{_KEYS}/.+", "GET"),
    (f"{BASE}/gateways/[^/]*/webhooks", "POST"),
    ("/health|/openapi.json|/docs", "GET"),
)
"""The verbs of each path, for those who send another."""


def build(app: App) -> APIGatewayHttpResolver:
    """Build the resolver over one app."""
    resolver = APIGatewayHttpResolver()
    resolver.use(middlewares=[envelope])
    _add_payments(app, resolver)
    _add_cancellations(app, resolver)
    _add_refunds(app, resolver)
    _add_deliveries(app, resolver)
    _add_public_paths(app, resolver)
    _add_the_rest(app, resolver)
    return resolver


def _add_payments(app: App, resolver: APIGatewayHttpResolver) -> None:
    create_payment = PaymentCreator(app)

    @resolver.post(_PAYMENTS)
    def post_payment() -> Response[str]:
        request = Request(resolver)
        caller = _caller(app, resolver, request, is_write=True)
        key = read_header(request.header("idempotency-key"))
        order = read_order(request.json_body(), allow_loopback=app.config.loopback_webhooks)
        create_payment.idempotency.register_lambda_context(resolver.lambda_context)
        accepted = create_payment(caller, key, order, request.traceparent)
        location = f"{_PAYMENTS}/{accepted.answer['payment_id']}"
        headers = {"Location": location, **_replayed(accepted.is_replay)}
        return json_answer(202, accepted.answer, headers)

    @resolver.get(_PAYMENTS)
    def get_payments() -> Response[str]:
        from functions.api.listing_query import read_query
        from riel.services.list_payments import list_payments

        request = Request(resolver)
        caller = _caller(app, resolver, request, is_write=False)
        return json_answer(200, list_payments(app, caller, read_query(request.query)))

    @resolver.get(f"{_PAYMENTS}/<payment_id>")
    def get_payment(payment_id: str) -> Response[str]:
        from riel.services.read_payment import payment_view, read_payment

        caller = _caller(app, resolver, Request(resolver), is_write=False)
        return json_answer(200, payment_view(read_payment(app, caller, payment_id)))


def _add_cancellations(app: App, resolver: APIGatewayHttpResolver) -> None:
    @resolver.post(f"{_PAYMENTS}/<payment_id>/cancel")
    def post_cancellation(payment_id: str) -> Response[str]:
        from riel.services.cancel_payment import cancel_payment

        request = Request(resolver)
        caller = _caller(app, resolver, request, is_write=True)
        key = read_header(request.header("idempotency-key"))
        read_nothing(request.json_body() if request.body() else b"")
        app.stored_answers.idempotency.register_lambda_context(resolver.lambda_context)
        done = cancel_payment(app, caller, key, payment_id, request.request_id)
        if done.refusal:
            return _refused(InvalidStateError(done.refusal), done.request_id, done.is_replay)
        headers = {"Location": f"{_PAYMENTS}/{payment_id}", **_replayed(done.is_replay)}
        return json_answer(202, {"payment_id": payment_id, "status": done.status}, headers)


def _add_refunds(app: App, resolver: APIGatewayHttpResolver) -> None:
    path = f"{_PAYMENTS}/<payment_id>/refunds"

    @resolver.post(path)
    def post_refund(payment_id: str) -> Response[str]:
        from functions.api.refund_request import read_refund_order
        from riel.services.create_refund import create_refund

        request = Request(resolver)
        caller = _caller(app, resolver, request, is_write=True)
        key = read_header(request.header("idempotency-key"))
        order = read_refund_order(request.json_body() if request.body() else b"")
        app.stored_answers.idempotency.register_lambda_context(resolver.lambda_context)
        sent = request.request_id, request.traceparent
        done = create_refund(app, caller, key, payment_id, order, *sent)
        if done.refusal:
            return _refused(done.refusal, done.request_id, done.is_replay)
        location = f"{_PAYMENTS}/{payment_id}/refunds/{done.answer['refund_id']}"
        headers = {"Location": location, **_replayed(done.is_replay)}
        return json_answer(202, done.answer, headers)

    @resolver.get(path)
    def get_refunds(payment_id: str) -> Response[str]:
        from riel.services.read_refunds import read_refunds, refund_view

        caller = _caller(app, resolver, Request(resolver), is_write=False)
        found = read_refunds(app, caller, payment_id)
        return json_answer(200, {"data": [refund_view(refund) for refund in found]})

    @resolver.get(f"{path}/<refund_id>")
    def get_refund(payment_id: str, refund_id: str) -> Response[str]:
        from riel.services.read_refunds import read_refund, refund_view

        caller = _caller(app, resolver, Request(resolver), is_write=False)
        return json_answer(200, refund_view(read_refund(app, caller, payment_id, refund_id)))


def _add_deliveries(app: App, resolver: APIGatewayHttpResolver) -> None:
    path = f"{_PAYMENTS}/<payment_id>/deliveries"

    @resolver.get(path)
    def get_deliveries(payment_id: str) -> Response[str]:
        from riel.services.list_deliveries import delivery_view, read_deliveries

        caller = _caller(app, resolver, Request(resolver), is_write=False)
        found = read_deliveries(app, caller, payment_id)
        return json_answer(200, {"data": [delivery_view(told) for told in found]})

    @resolver.post(f"{path}/<delivery_id>/redeliver")
    def post_redelivery(payment_id: str, delivery_id: str) -> Response[str]:
        from riel.services.redeliver_deliveries import redeliver_event

        request = Request(resolver)
        caller = _caller(app, resolver, request, is_write=True)
        key = read_header(request.header("idempotency-key"))
        read_nothing(request.json_body() if request.body() else b"")
        app.stored_answers.idempotency.register_lambda_context(resolver.lambda_context)
        done = redeliver_event(app, caller, key, payment_id, delivery_id, request.request_id)
        if done.refusal:
            return _refused(EventExpiredError(done.refusal), done.request_id, done.is_replay)
        location = f"{_PAYMENTS}/{payment_id}/deliveries"
        headers = {"Location": location, **_replayed(done.is_replay)}
        return json_answer(202, {"delivery_id": done.delivery_id, "state": done.state}, headers)


def _add_public_paths(app: App, resolver: APIGatewayHttpResolver) -> None:
    @resolver.get("/health")
    def get_health() -> Response[str]:
        from riel.services.health import check_health

        health = check_health(app)
        if health["status"] == "ok":
            return json_answer(200, health)
        return json_answer(503, health, {"Retry-After": "1"})

    @resolver.get("/openapi.json")
    def get_openapi() -> Response[str]:
        from functions.api.reference import openapi_document

        return text_answer(200, "application/json", openapi_document())

    @resolver.get("/docs")
    def get_docs() -> Response[str]:
        from functions.api.reference import docs_page

        page, policy = docs_page()
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
        return text_answer(200, "text/html; charset=utf-8", page, headers)


def _add_the_rest(app: App, resolver: APIGatewayHttpResolver) -> None:
    """Answer what Powertools' routes do not match: they know no `/` or `"` in a parameter."""

    @resolver.not_found
    def not_found(_: Exception) -> Response[str]:
        return answered(resolver, lambda: _unmatched(app, resolver, Request(resolver)))


def _unmatched(app: App, resolver: APIGatewayHttpResolver, request: Request) -> Response[str]:
    for pattern, verbs in _VERBS:
        if not re.fullmatch(pattern, request.path, re.DOTALL):
            continue
        if request.method not in verbs.split(", "):
            raise MethodNotAllowedError(verbs)
        caller = _caller(app, resolver, request, is_write=False)
        if request.path.startswith(_KEYS):
            return _idempotency_key(app, caller, request.path.removeprefix(f"{_KEYS}/"))
        # An id in a spelling that no route matches is an unknown id like any other.
        raise NotFoundError("no such payment")
    raise NotFoundError("no such path")


def _idempotency_key(app: App, caller: Caller, raw: str) -> Response[str]:
    from riel.services.read_payment import find_by_key

    payment = find_by_key(app, caller, read_key(raw.replace("%25", "%")))
    if payment is None:
        return json_answer(200, {"state": "unknown", "payment_id": None})
    return json_answer(200, {"state": "completed", "payment_id": payment.payment_id})


def _caller(
    app: App, resolver: APIGatewayHttpResolver, request: Request, *, is_write: bool
) -> Caller:
    """Find out who calls, and count the request against that merchant's limit."""
    caller = authenticate(app, request.header("x-api-key"))
    logger.append_keys(merchant_id=caller.merchant_id)
    try:
        allowance = check_rate(app, caller, is_write=is_write)
    except RateLimitedError as error:
        resolver.context[RATE_LIMIT_HEADERS] = rate_limit_headers(refused(caller, error))
        raise
    resolver.context[RATE_LIMIT_HEADERS] = rate_limit_headers(allowance)
    return caller


def _refused(error: ConflictError, request_id: str, is_replay: bool) -> Response[str]:
    """Word a refusal that is kept: a repeat gets the first one's bytes."""
    answer = problem(error, request_id)
    answer.headers.update(_replayed(is_replay))
    return answer


def _replayed(is_replay: bool) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if is_replay else {}
