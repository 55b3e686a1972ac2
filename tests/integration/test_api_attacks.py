"""What a careless or hostile caller sends, and the exact refusal: FC-08, FC-11, FC-18 to FC-26."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.api.reference import docs_page
from riel.app import App
from riel.errors import RateLimitedError
from riel.services.merchants import seed_merchant
from tests.builders import API_KEY
from tests.integration.test_api import GOOD, Api, count_payments


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(app, monkeypatch)


def refused(api: Api, aws: Any, body: Any) -> dict[str, str]:
    """Send a body that must be refused with 422 and leave nothing behind: field to code."""
    answer = api.post("k", body)
    assert answer["statusCode"] == 422, answer["body"]
    assert count_payments(aws) == 0
    return {problem["field"]: problem["code"] for problem in answer["json"]["errors"]}


def test_fc_08_a_missing_key_says_what_to_do_and_where_to_read(api: Api) -> None:
    answer = api("POST", "/api/v1/payments", GOOD)

    assert (answer["statusCode"], answer["json"]["code"]) == (400, "idempotency_key_missing")
    assert answer["json"]["errors"][0]["field"] == "Idempotency-Key"
    path, _, anchor = answer["json"]["type"].partition("#")
    assert path == "/docs"
    assert f'id="{anchor}"' in docs_page()[0]


def test_fc_11_what_was_refused_at_the_door_leaves_the_key_free(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over(*_: Any) -> None:
        raise RateLimitedError(7)

    unauthorized = api.post("fc-11", None, **{"x-api-key": "sk_test_unknown"})
    with monkeypatch.context() as patch:
        patch.setattr(api.app.rate_limiter, "spend", over)
        limited = api.post("fc-11")
    accepted = api.post("fc-11")

    assert [a["statusCode"] for a in (unauthorized, limited, accepted)] == [401, 429, 202]
    assert (limited["json"]["code"], limited["headers"]["Retry-After"]) == ("rate_limited", "7")
    assert limited["headers"]["RateLimit"] == '"default";r=0;t=7'
    assert "Idempotent-Replayed" not in accepted["headers"]


@pytest.mark.parametrize(
    ("fields", "code", "limit"),
    [
        ({"amount": "9" * 13}, "amount_too_large", "at most 12 digits before the point"),
        ({"amount": "9223372036854775808"}, "amount_too_large", "at most 12 digits"),
        ({"amount": 9223372036854775808}, "amount_too_large", "at most 12 digits"),
        ({"amount": 10**4_000}, "amount_too_large", "at most 12 digits"),
        ({"amount": "10000.01", "method": "oxxo"}, "amount_too_large", "10000.00 MXN at most"),
        ({"amount": "9.99", "method": "oxxo"}, "amount_too_small", "10.00 MXN or more"),
    ],
)
def test_fc_18_an_amount_beyond_a_limit_is_told_the_limit(
    api: Api, aws: Any, fields: dict[str, Any], code: str, limit: str
) -> None:
    assert refused(api, aws, {**GOOD, **fields}) == {"amount": code}
    (problem,) = api.post("k", {**GOOD, **fields})["json"]["errors"]
    assert limit in problem["message"]


@pytest.mark.parametrize(
    ("amount", "currency"), [("100.5", "JPY"), ("1.001", "MXN"), ("1.0001", "KWD")]
)
def test_fc_19_too_many_decimals_are_never_rounded(
    api: Api, aws: Any, amount: str, currency: str
) -> None:
    assert refused(api, aws, {"amount": amount, "currency": currency}) == {
        "amount": "amount_invalid"
    }


def test_fc_19_every_decimal_that_a_currency_has_is_taken(api: Api) -> None:
    created = api.post("k", {"amount": "1.001", "currency": "KWD"})
    path = f"/api/v1/payments/{created['json']['payment_id']}"

    assert api("GET", path)["json"]["amount"] == "1.001"


@pytest.mark.parametrize(
    "fields",
    [
        {"currency": "XXX"},
        {"currency": "QQQ"},
        {"currency": "mxn"},
        {"currency": "BGN"},
        {"currency": "USD", "method": "oxxo"},
        {"currency": "USD", "method": "spei"},
    ],
)
def test_fc_20_a_currency_that_is_not_current_or_not_taken(
    api: Api, aws: Any, fields: dict[str, Any]
) -> None:
    assert refused(api, aws, {**GOOD, **fields}) == {"currency": "currency_invalid"}


@pytest.mark.parametrize(
    "metadata",
    [
        {str(n): "" for n in range(51)},
        {"k" * 41: ""},
        {"k": "v" * 501},
        {"k": {"nested": "v"}},
        {"k": "a\x00b"},
        {"k": "\ud800"},
    ],
)
def test_fc_21_metadata_out_of_bounds_is_refused_before_any_write(
    api: Api, aws: Any, metadata: dict[str, Any]
) -> None:
    assert set(refused(api, aws, {**GOOD, "metadata": metadata})) == {"metadata"}


def test_fc_21_a_payment_at_every_limit_is_taken_and_read_back(api: Api) -> None:
    metadata = {f"{n:>40}": "🚆" * 125 + "v" * 250 for n in range(50)}
    body = {**GOOD, "metadata": metadata, "description": "שלום" * 125, "reference": "é" * 255}
    created = api.post("k" * 255, json.dumps(body, ensure_ascii=False))

    assert created["statusCode"] == 202, created["body"]
    shown = api("GET", f"/api/v1/payments/{created['json']['payment_id']}")["json"]
    assert (shown["metadata"], shown["reference"]) == (metadata, body["reference"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"amount":"1","amount":"2","currency":"MXN"}', 400),
        ('{"amount":"1","currency":"MXN","metadata":{"a":"1","a":"2"}}', 400),
        ("[" * 10_000 + "]" * 10_000, 400),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, 400),
        ('{"a":' * 21 + "1" + "}" * 21, 400),
        ('{"a":' + "[" * 20 + "]" * 20 + "}", 400),
        ("\ufeff" + json.dumps(GOOD), 400),
        ('{"amount":NaN,"currency":"MXN"}', 400),
        ("{}" + " " * 70_000, 413),
        ("", 400),
        ('"text"', 400),
    ],
)
def test_fc_22_what_can_not_be_parsed_is_400_and_what_is_too_long_413(
    api: Api, aws: Any, body: str, status: int
) -> None:
    assert api("POST", "/api/v1/payments", body, {"idempotency-key": "k"})["statusCode"] == status
    assert count_payments(aws) == 0


def test_fc_22_what_is_not_too_deep_is_told_what_is_wrong(api: Api, aws: Any) -> None:
    assert refused(api, aws, json.loads('{"a":' * 20 + "1" + "}" * 20))["a"] == "unknown_field"


def test_fc_22_an_integer_too_long_for_python_is_only_too_large(api: Api) -> None:
    body = '{"amount":' + "9" * 9_000 + ',"currency":"MXN"}'
    answer = api("POST", "/api/v1/payments", body, {"idempotency-key": "k"})

    assert (answer["statusCode"], answer["json"]["errors"][0]["code"]) == (422, "amount_too_large")


def test_fc_22_a_thousand_unknown_fields_make_no_long_answer(api: Api) -> None:
    answer = api.post("k", {**GOOD, **{f"field_{chr(97 + n)}": 1 for n in range(26)}, **{
        "x" * n: 1 for n in range(1, 200)
    }})  # fmt: skip

    assert answer["statusCode"] == 422
    assert len(answer["json"]["errors"]) <= 100
    assert len(answer["json"]["detail"]) < 1_000


@pytest.mark.parametrize("field", ["status", "merchant_id", "livemode", "id", "gateway", "cvv"])
def test_fc_23_a_field_that_is_not_the_callers_to_set_is_refused(
    api: Api, aws: Any, field: str
) -> None:
    assert refused(api, aws, {**GOOD, field: "completed"}) == {field: "unknown_field"}


def test_fc_26_a_card_number_in_place_of_a_token_is_refused_and_not_repeated(
    api: Api, aws: Any
) -> None:
    number = "5555555555554444"
    body = {**GOOD, "payment_method_token": number}

    assert refused(api, aws, body) == {"payment_method_token": "card_number_forbidden"}
    assert number not in api.post("k", body)["body"]


def test_fc_26_no_log_holds_what_a_request_said(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what was refused, nor what was in hand when a defect of ours came up."""
    number = "4242424242424242"
    said = {**GOOD, "description": "a private word", "metadata": {"k": "another one"}}

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect")

    with caplog.at_level("DEBUG"):
        refused = api.post("k", {**GOOD, "metadata": {"card": number}})
        monkeypatch.setattr(api.app.payments, "create", broken)
        failed = api.post("k", said)
    logged = str([vars(record) for record in caplog.records]) + caplog.text

    assert (refused["statusCode"], failed["statusCode"]) == (422, 500)
    assert "ZeroDivisionError" in logged
    for word in (number, "a private word", "another one", API_KEY):
        assert word not in logged


@pytest.mark.parametrize("key", ["a\nb", "\u00e9", '" a"', '"a'])
def test_an_impossible_key_can_not_be_looked_up_and_needs_an_api_key_first(
    api: Api, key: str
) -> None:
    path = f"/api/v1/idempotency-keys/{key}"

    assert api("GET", path)["json"]["code"] == "idempotency_key_invalid"
    assert api("GET", path, headers={"x-api-key": "wrong"})["statusCode"] == 401


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_fc_24_a_foreign_id_costs_and_answers_what_an_unknown_one_does(
    api: Api, app: App, verb: str
) -> None:
    """The same one read of the table: neither the answer nor its time tells that it exists."""
    foreign = api.post("mine")["json"]["payment_id"]
    unknown = "pay_" + "a" * 26
    seed_merchant(
        app, merchant_id="other", name="O", api_key="sk_test_other", webhook_secret="whsec_eA=="
    )
    calls: list[str] = []
    events = api.app.dynamodb.meta.events
    events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))

    def ask(payment_id: str) -> tuple[int, Any, list[str]]:
        calls.clear()
        path = f"/api/v1/payments/{payment_id}" + ("/cancel" if verb == "POST" else "")
        headers = {"x-api-key": "sk_test_other", "idempotency-key": "k"}
        answer = api(verb, path, None, headers)
        return answer["statusCode"], answer["json"], [*calls]

    for _ in range(8):  # warms the merchant's key, and a lease that lasts for a few requests
        ask(unknown)
    found, missing = ask(foreign), ask(unknown)

    assert found == missing
    assert found[0] == 404
    assert found[2].count("GetItem") == 1
