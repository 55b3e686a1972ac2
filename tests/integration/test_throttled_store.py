"""A table that throttles: every route says 503 and when to come again, never 404 or 409 (FC-64)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from riel.app import App
from riel.domain.payment import Payment
from tests.integration.test_api import GOOD, Api
from tests.payments import store_completed

ROUTES = {
    "create": ("POST", "/api/v1/payments", GOOD),
    "read": ("GET", "/api/v1/payments/{id}", None),
    "list": ("GET", "/api/v1/payments", None),
    "cancel": ("POST", "/api/v1/payments/{id}/cancel", None),
    "refund": ("POST", "/api/v1/payments/{id}/refunds", {}),
    "refunds": ("GET", "/api/v1/payments/{id}/refunds", None),
    "deliveries": ("GET", "/api/v1/payments/{id}/deliveries", None),
}
CODES = ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded")


@pytest.fixture
def payment(app: App) -> Payment:
    return store_completed(app)


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch, payment: Payment) -> Api:
    """The API when it knows its merchant already and has a lease of requests to spend."""
    api = Api(app, monkeypatch)
    for _ in range(8):
        api("GET", f"/api/v1/payments/{payment.payment_id}")
    return api


def throttle(app: App, code: str) -> None:
    """Let every call of DynamoDB fail as a hot partition or a full index does."""

    def refuse(model: Any, **_: Any) -> None:
        answer: Any = {"Error": {"Code": code, "Message": ""}}
        raise ClientError(answer, model.name)

    app.dynamodb.meta.events.register("before-call.dynamodb.*", refuse)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_fc_64_while_the_table_throttles_every_route_says_503_and_when_to_come_again(
    api: Api, payment: Payment, route: tuple[str, str, Any], code: str
) -> None:
    method, path, body = route
    path = path.format(id=payment.payment_id)
    before = api(method, path, body, {"idempotency-key": "before"})
    throttle(api.app, code)

    answer = api(method, path, body, {"idempotency-key": "k"})

    assert before["statusCode"] in (200, 202, 409), "the route itself is well"
    assert (answer["statusCode"], answer["json"]["code"]) == (503, "store_unavailable")
    assert int(answer["headers"]["Retry-After"]) >= 1
