"""The API's handler: headers, errors, and what is stored or not."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.errors import StoreUnavailableError
from riel.services.merchants import seed_merchant
from tests.builders import API_KEY, FakeClock, seed_demo, store_payment
from tests.handlers import Context, load_handler

GOOD = {"amount": "100.50", "currency": "MXN"}


class Api:
    """Calls the handler as API Gateway does."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        tables = ("payments", "outbox", "merchants", "idempotency", "limits")
        names = (
            *(f"{name}_table" for name in tables),
            "simulator_url",
            "routes",
            "webhooks_queue_url",
        )
        settings = {f"RIEL_{name.upper()}": getattr(app.config, name) for name in names}
        handler, module = load_handler("api", {**settings, **environment}, monkeypatch)
        self._handler = handler
        self.app: App = module._app

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {
                "x-api-key": API_KEY,
                "content-type": "application/json",
                **(headers or {}),
            },
            "requestContext": {
                "accountId": "1",
                "apiId": "a",
                "domainName": "d",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1"},
                "requestId": "gateway-id",
                "stage": "$default",
            },
            "body": body if isinstance(body, str | None) else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self._handler(event, Context())
        return {**answer, "json": json.loads(answer["body"])}

    def post(self, key: str, body: Any = None, **headers: str) -> dict[str, Any]:
        return self("POST", "/api/v1/payments", body or GOOD, {"idempotency-key": key, **headers})


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


def count_payments(aws: Any) -> int:
    found: int = aws.scan(TableName="payments")["Count"]
    return found


def test_fc_05_another_merchant_may_use_the_same_key(api: Api, app: App) -> None:
    seed_merchant(
        app, merchant_id="other", name="O", api_key="sk_test_other", webhook_secret="whsec_eA=="
    )
    mine = api.post("same")
    theirs = api.post("same", None, **{"x-api-key": "sk_test_other"})

    assert mine["json"]["payment_id"] != theirs["json"]["payment_id"]
    path = f"/api/v1/payments/{mine['json']['payment_id']}"
    foreign = api("GET", path, headers={"x-api-key": "sk_test_other"})
    unknown = api("GET", "/api/v1/payments/pay_" + "a" * 26, headers={"x-api-key": "sk_test_other"})
    assert foreign["statusCode"] == unknown["statusCode"] == 404
    assert foreign["json"] == unknown["json"], "FC-24: a foreign id answers like an unknown one"


def test_fc_07_a_repeat_that_is_spelled_otherwise_is_a_repeat(api: Api) -> None:
    first = api.post("fc-07", '{"amount":"100.5","currency":"MXN"}')
    again = api.post("fc-07", ' { "currency" : "MXN",\n "amount" : "100.50" } ')

    assert (again["statusCode"], again["body"]) == (202, first["body"])
    assert again["headers"]["Idempotent-Replayed"] == "true"


def test_fc_10_a_request_that_failed_validation_leaves_its_key_free(api: Api, aws: Any) -> None:
    refused = api.post("fc-10", {"amount": 10.1, "currency": "MXN"})
    accepted = api.post("fc-10")

    assert (refused["statusCode"], accepted["statusCode"]) == (422, 202)
    assert "Idempotent-Replayed" not in accepted["headers"]
    assert count_payments(aws) == 1


def test_fc_15_and_16_a_key_is_taken_for_ever(api: Api, clock: FakeClock) -> None:
    """There is no record that expires: only the payment itself, and it is derived from the key."""
    first = api.post("fc-16")
    api.app.clock = clock
    clock.advance(400 * 86_400)

    again = api.post("fc-16")
    other = api.post("fc-16", {"amount": "1", "currency": "MXN"})

    assert again["body"] == first["body"]
    assert (other["statusCode"], other["json"]["code"]) == (422, "idempotency_key_reused")
    assert "100.50" not in other["body"], "FC-03: nothing of the first request is told"


def test_fc_13_killed_after_the_commit_the_retry_gets_the_202(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("riel.services.create_payment.accepted", die)
        with pytest.raises(Killed):
            api.post("fc-13")

    retry = api.post("fc-13")
    assert retry["statusCode"] == 202
    assert retry["headers"]["Idempotent-Replayed"] == "true"


def test_fc_12_a_store_that_throttles_is_503_and_stores_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, aws: Any
) -> None:
    def throttled(*_: Any) -> None:
        raise StoreUnavailableError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(api.app.payments, "create", throttled)
        refused = api.post("fc-12")

    assert (refused["statusCode"], refused["json"]["code"]) == (503, "store_unavailable")
    assert refused["headers"]["Retry-After"] == "1"
    assert count_payments(aws) == 0
    assert api.post("fc-12")["statusCode"] == 202


def test_without_idempotency_nothing_is_answered(api: Api, aws: Any) -> None:
    """Powertools can be switched off by an environment variable: then no 202 may lie."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("POWERTOOLS_IDEMPOTENCY_DISABLED", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = api.post("off")
    monkeypatch.undo()

    assert answer["statusCode"] == 500
    assert count_payments(aws) == 0


def test_a_repeat_is_answered_although_its_gateway_is_gone(
    api: Api, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = api.post("k")
    without = Api(app, monkeypatch, RIEL_ROUTES="")

    assert without.post("k")["body"] == first["body"]
    assert without.post("k")["headers"]["Idempotent-Replayed"] == "true"
    other = without.post("k", {"amount": "1", "currency": "MXN"})
    assert other["json"]["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("name", ["4111111111111111", "<script>", "x" * 41, ""])
def test_a_key_that_is_no_plain_name_is_not_repeated(api: Api, name: str) -> None:
    answer = api.post("k", {**GOOD, name: 1})

    assert answer["json"]["errors"][0]["field"] == "(unknown field)"
    assert not name or name not in answer["body"]


@pytest.mark.parametrize("path", ["%22", "%00", "%ff", "%23", "pay_%F0%9F%9A%86"])
def test_an_id_in_any_spelling_is_unknown_and_needs_a_key_first(api: Api, path: str) -> None:
    known = api("GET", f"/api/v1/payments/{path}")
    nobody = api("GET", f"/api/v1/payments/{path}", headers={"x-api-key": "wrong"})

    assert (known["statusCode"], nobody["statusCode"]) == (404, 401)


@pytest.mark.parametrize("key", ["", "wrong", "k" * 300, "cl\u00e9"])
def test_an_unknown_api_key_is_refused_before_the_body_is_read(api: Api, key: str) -> None:
    answer = api("POST", "/api/v1/payments", "{not json", {"x-api-key": key})

    assert (answer["statusCode"], answer["json"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 202),
        ({"content-type": "Application/JSON;charset=UTF-8"}, 202),
        ({"content-type": "application/json; charset=utf-16"}, 415),
    ],
)
def test_fc_22_the_body_must_be_announced_as_json(
    api: Api, headers: dict[str, str], status: int
) -> None:
    assert api.post("k", None, **headers)["statusCode"] == status


def test_fc_21_and_22_a_body_over_the_limit_is_413(api: Api) -> None:
    body = {**GOOD, "description": "x" * 70_000}

    assert api.post("k", body)["statusCode"] == 413


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("4111111111111111", "gateway-id"),
        ("sk_live_abcdef", "gateway-id"),
        ("my-id.1:2", "my-id.1:2"),
        ("a b", "gateway-id"),
        ("x" * 129, "gateway-id"),
        ("", "gateway-id"),
    ],
)
def test_a_valid_request_id_comes_back(api: Api, sent: str, echoed: str) -> None:
    answer = api("GET", "/api/v1/payments/x", headers={"x-request-id": sent})

    assert answer["headers"]["X-Request-Id"] == echoed
    assert answer["json"]["request_id"] == echoed


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/v1/payments", "GET, POST"),
        ("GET", "/api/v1/payments/pay_x/cancel", "POST"),
        ("POST", "/api/v1/idempotency-keys/x", "GET"),
        ("DELETE", "/api/v1/payments/pay_x", "GET"),
        ("POST", "/health", "GET"),
        ("GET", "/api/v1/gateways/simulator/webhooks", "POST"),
        ("PUT", "/api/v1/gateways/nobody/webhooks", "POST"),
    ],
)
def test_a_wrong_verb_says_which_ones_there_are(
    api: Api, method: str, path: str, allow: str
) -> None:
    answer = api(method, path)

    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allow)


def test_a_defect_is_a_500_that_tells_nothing_but_its_id(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.app.payments, "get", broken)
    answer = api("GET", "/api/v1/payments/" + ids.payment_id("m", False, "k"))

    assert (answer["statusCode"], answer["json"]["code"]) == (500, "broken")
    assert "secret detail" not in answer["body"]
    assert answer["json"]["request_id"] == "gateway-id"


def test_health_names_what_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: Any) -> None:
        raise StoreUnavailableError("ThrottlingException")

    assert api("GET", "/health")["statusCode"] == 200
    monkeypatch.setattr(api.app.merchants, "_fetch", down)
    answer = api("GET", "/health")

    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"]
    assert answer["json"]["checks"] == {
        "payments": "ok", "merchants": "ThrottlingException", "limits": "ok", "switches": "ok",
    }  # fmt: skip


def test_a_payment_shows_every_field_of_the_contract(api: Api, app: App) -> None:
    payment = store_payment(app, idempotency_key="shown")

    shown = api("GET", f"/api/v1/payments/{payment.payment_id}")["json"]

    assert set(shown) == {
        "id", "amount", "currency", "description", "metadata", "status", "livemode", "method",
        "gateway", "reference", "received_amount", "idempotency_key", "webhook_url", "created_at",
        "processed_at", "refunded_amount", "failure", "next_action", "attention", "history",
    }  # fmt: skip
    assert shown["history"] == [
        {"sequence": 1, "status": "pending", "at": "2026-04-17T12:00:00.000Z", "cause": "created"}
    ]


def test_a_seeded_merchant_can_be_seeded_again(app: App) -> None:
    seed_demo(app)
    seed_demo(app)

    assert app.merchants.get("demo") is not None
