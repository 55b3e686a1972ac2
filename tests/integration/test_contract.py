"""The deployed handler keeps what its own OpenAPI document promises: routes, answers, and anything
that schemathesis makes out of the document."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from pydantic import BaseModel
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events

from functions.api import answers, webhook_answers
from functions.api.reference import openapi_document
from functions.api.reference.examples import IDEMPOTENCY_KEY
from riel import ids
from riel.app import App
from riel.clock import utc_now
from riel.domain.payment import Status, Transition
from tests.builders import API_KEY, store_payment
from tests.integration.api_gateway import Answer, ApiGateway, Headers, as_asgi
from tests.payments import store_awaiting, store_completed

DOCUMENT: dict[str, Any] = json.loads(openapi_document())
MULTIPLIER = int(os.environ.get("RIEL_FUZZ", "1"))
"""How many times more examples than a quick run, and fresh ones each time: `make fuzz` sets it."""
UNKNOWN_ID = "pay_" + "a" * 26
ORDER = {"amount": "100.50", "currency": "MXN", "reference": "order-1"}


@pytest.fixture
def api(app: App, monkeypatch: pytest.MonkeyPatch) -> ApiGateway:
    return ApiGateway(app, monkeypatch)


def call(
    api: ApiGateway, method: str, path: str, body: Any = None, key: str = "", **more: str
) -> Answer:
    headers = {"X-API-Key": API_KEY, **({"Idempotency-Key": key} if key else {})}
    if body is not None:
        headers["Content-Type"] = "application/json"
    text = b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    return api.send(method, path, query, [*{**headers, **more}.items()], text)


def template_of(path: str) -> str:
    for template in DOCUMENT["paths"]:
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.partition("?")[0]):
            return str(template)
    raise AssertionError(f"{path} is not in the document")


def judge(method: str, path: str, answer: Answer) -> None:
    """Raise unless the document describes the answer: status, headers, type and every field."""
    operation = DOCUMENT["paths"][template_of(path)][method.lower()]
    described = operation["responses"][str(answer.status)]
    names = {name.lower() for name in answer.headers}
    for name, header in described["headers"].items():
        component = DOCUMENT["components"]["headers"][header["$ref"].rpartition("/")[2]]
        assert name.lower() in names or not component.get("required"), f"{name} is missing"
    known = {name.lower() for name in described["headers"]} | {"content-type"}
    assert names <= known | {"x-content-type-options"}, names - known
    content = described["content"][answer.headers["Content-Type"].partition(";")[0]]
    if "html" not in answer.headers["Content-Type"]:
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(
            json.loads(answer.body)
        )


def test_the_document_has_the_routes_that_are_served_and_no_others(api: ApiGateway) -> None:
    router = api.module._resolver
    served = {
        (route.method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in [*router._static_routes, *router._dynamic_routes]
    }
    # Keys may hold a slash, which no route of Powertools matches: the API routes them itself.
    served.add(("GET", "/api/v1/idempotency-keys/{key}"))

    documented = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert documented == served


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_path_has_the_verbs_of_the_document_and_no_others(api: ApiGateway, path: str) -> None:
    concrete = path.replace("{payment_id}", UNKNOWN_ID).replace("{key}", "k")
    concrete = concrete.replace("{refund_id}", "re_" + "a" * 26)
    concrete = concrete.replace("{delivery_id}", "evt_" + "a" * 26)
    documented = {method.upper() for method in DOCUMENT["paths"][path]}

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"):
        answer = call(api, verb, concrete)
        assert (answer.status == 405) == (verb not in documented), verb
        if answer.status == 405:
            assert set(answer.headers["Allow"].split(", ")) == documented
            judge(next(iter(documented)), concrete, answer)


def test_the_answers_of_a_payments_life_are_those_of_the_document(
    api: ApiGateway, app: App
) -> None:
    payments = "/api/v1/payments"
    created = call(api, "POST", payments, ORDER, "k")
    payment_id = json.loads(created.body)["payment_id"]
    one, cancel = f"{payments}/{payment_id}", f"{payments}/{payment_id}/cancel"
    large = {**ORDER, "description": "x" * 70_000}
    nobody = {"X-API-Key": "wrong"}
    steps: list[tuple[int, str, str, Answer]] = [
        (202, "POST", payments, created),
        (202, "POST", payments, call(api, "POST", payments, ORDER, "k")),
        (422, "POST", payments, call(api, "POST", payments, {**ORDER, "amount": "1"}, "k")),
        (409, "POST", payments, call(api, "POST", payments, ORDER, "k2")),
        (422, "POST", payments, call(api, "POST", payments, {"amount": 1.5, "x": 1}, "k2")),
        (400, "POST", payments, call(api, "POST", payments, [], "k2")),
        (400, "POST", payments, call(api, "POST", payments, ORDER)),
        (413, "POST", payments, call(api, "POST", payments, large, "k2")),
        (415, "POST", payments, call(api, "POST", payments, None, "k2")),
        (503, "POST", payments, call(api, "POST", payments, {**ORDER, "method": "crypto"}, "k3")),
        (401, "POST", payments, call(api, "POST", payments, ORDER, "k", **nobody)),
        (200, "GET", one, call(api, "GET", one)),
        (404, "GET", one, call(api, "GET", f"{payments}/{UNKNOWN_ID}")),
        (401, "GET", one, call(api, "GET", one, **nobody)),
        (200, "GET", payments, call(api, "GET", f"{payments}?limit=1&status=pending")),
        (400, "GET", payments, call(api, "GET", f"{payments}?limit=0")),
        (400, "GET", payments, call(api, "GET", f"{payments}?cursor=x")),
        (202, "POST", cancel, call(api, "POST", cancel, {}, "c")),
        (202, "POST", cancel, call(api, "POST", cancel, None, "c")),
        (409, "POST", cancel, call(api, "POST", cancel, {}, "c2")),
        (409, "POST", cancel, call(api, "POST", cancel, {}, "c2")),
        (422, "POST", cancel, call(api, "POST", cancel, {"reason": "x"}, "c3")),
        (400, "POST", cancel, call(api, "POST", cancel, {})),
        (200, "GET", one, call(api, "GET", one)),
    ]
    paid = f"{payments}/{store_completed(app, idempotency_key='paid').payment_id}/refunds"
    steps += [
        (200, "GET", paid, call(api, "GET", paid)),
        (202, "POST", paid, call(api, "POST", paid, {"amount": "40", "reason": "x"}, "r")),
        (202, "POST", paid, call(api, "POST", paid, {"amount": "40.0", "reason": "x"}, "r")),
        (422, "POST", paid, call(api, "POST", paid, {"amount": "41"}, "r")),
        (409, "POST", paid, call(api, "POST", paid, {"amount": "61"}, "r2")),
        (409, "POST", paid, call(api, "POST", paid, {"amount": "61"}, "r2")),
        (202, "POST", paid, call(api, "POST", paid, None, "r3")),
        (409, "POST", paid, call(api, "POST", f"{one}/refunds", {}, "r4")),
        (422, "POST", paid, call(api, "POST", paid, {"amount": 1.5, "x": 1}, "r5")),
        (400, "POST", paid, call(api, "POST", paid, [], "r5")),
        (400, "POST", paid, call(api, "POST", paid, {})),
        (404, "POST", paid, call(api, "POST", f"{payments}/{UNKNOWN_ID}/refunds", {}, "r5")),
        (413, "POST", paid, call(api, "POST", paid, large, "r5")),
        (401, "POST", paid, call(api, "POST", paid, {}, "r5", **nobody)),
        (200, "GET", paid, call(api, "GET", paid)),
        (404, "GET", paid, call(api, "GET", f"{payments}/{UNKNOWN_ID}/refunds")),
        (401, "GET", paid, call(api, "GET", paid, **nobody)),
    ]
    repeat = call(api, "POST", paid, {"amount": "40", "reason": "x"}, "r")
    place = repeat.headers["Location"]
    steps += [
        (200, "GET", place, call(api, "GET", place)),
        (404, "GET", place, call(api, "GET", f"{paid}/re_x")),
        (401, "GET", place, call(api, "GET", place, **nobody)),
    ]
    waiting = f"{payments}/{store_awaiting(app, idempotency_key='waiting').payment_id}"
    steps.append((200, "GET", waiting, call(api, "GET", waiting)))
    steps += webhooks_again(api, app)
    keys = ("/api/v1/idempotency-keys/k", "/api/v1/idempotency-keys/never")
    steps += [(200, "GET", path, call(api, "GET", path)) for path in keys]
    public = ("/health", "/openapi.json", "/docs")
    steps += [(200, "GET", path, api.send("GET", path)) for path in public]

    for number, (status, method, path, answer) in enumerate(steps):
        assert answer.status == status, (number, answer.body)
        judge(method, path, answer)


def webhooks_again(api: ApiGateway, app: App) -> list[tuple[int, str, str, Answer]]:
    """A webhook that is looked at, and asked for again."""
    app.clock = utc_now  # that of the handler, for which an event is old after 14 days
    paid = store_completed(app, idempotency_key="told").payment_id
    old = app.clock() - timedelta(days=15)
    line = Transition(1, Status.COMPLETED, old, "test")
    store_payment(app, idempotency_key="long ago", history=(line,))
    long_ago = ids.payment_id("demo", False, "long ago")
    told, ancient = (redeliver_path(one, sequence) for one, sequence in ((paid, 3), (long_ago, 1)))
    seen = told.rpartition("/evt_")[0]
    unknown = f"{seen}/evt_{'a' * 26}/redeliver"
    large = {"x": "x" * 70_000}
    nobody = {"X-API-Key": "wrong"}
    return [
        (200, "GET", seen, call(api, "GET", seen)),
        (404, "GET", seen, call(api, "GET", seen.replace(paid, UNKNOWN_ID))),
        (401, "GET", seen, call(api, "GET", seen, **nobody)),
        (202, "POST", told, call(api, "POST", told, {}, "a")),
        (202, "POST", told, call(api, "POST", told, None, "a")),
        (404, "POST", told, call(api, "POST", unknown, None, "b")),
        (409, "POST", ancient, call(api, "POST", ancient, None, "c")),
        (409, "POST", ancient, call(api, "POST", ancient, None, "c")),
        (422, "POST", told, call(api, "POST", told, {"x": 1}, "d")),
        (400, "POST", told, call(api, "POST", told, [], "d")),
        (400, "POST", told, call(api, "POST", told, {})),
        (413, "POST", told, call(api, "POST", told, large, "d")),
        (401, "POST", told, call(api, "POST", told, {}, "d", **nobody)),
        (200, "GET", seen, call(api, "GET", seen)),
    ]


def redeliver_path(payment_id: str, sequence: int) -> str:
    event_id = ids.event_id(payment_id, sequence)
    return f"/api/v1/payments/{payment_id}/deliveries/{event_id}/redeliver"


def test_no_answer_has_a_field_that_nobody_described(api: ApiGateway, app: App) -> None:
    """The document lets answers grow, so the closed models find what it does not describe."""
    app.clock = utc_now
    payment = store_payment(app, idempotency_key="k")
    one = f"/api/v1/payments/{payment.payment_id}"
    paid_id = store_completed(app, idempotency_key="paid").payment_id
    paid = f"/api/v1/payments/{paid_id}/refunds"
    waiting = f"/api/v1/payments/{store_awaiting(app, idempotency_key='waiting').payment_id}"
    found: list[tuple[type[BaseModel], Answer]] = [
        (answers.Payment, call(api, "GET", one)),
        (answers.PaymentPage, call(api, "GET", "/api/v1/payments")),
        (answers.IdempotencyKeyState, call(api, "GET", "/api/v1/idempotency-keys/k")),
        (answers.PaymentAccepted, call(api, "POST", "/api/v1/payments", ORDER, "k1")),
        (answers.CancelAccepted, call(api, "POST", one + "/cancel", None, "k2")),
        (answers.Problem, call(api, "POST", one + "/cancel", None, "k3")),
        (answers.RefundAccepted, call(api, "POST", paid, {"amount": "1"}, "r1")),
        (answers.RefundList, call(api, "GET", paid)),
        (answers.Refund, call(api, "GET", f"{paid}/{ids.refund_id('demo', False, paid_id, 'r1')}")),
        (answers.Problem, call(api, "POST", paid, {"amount": "999"}, "r2")),
        (answers.Payment, call(api, "GET", waiting)),
        (webhook_answers.DeliveryList, call(api, "GET", f"/api/v1/payments/{paid_id}/deliveries")),
        (
            webhook_answers.RedeliveryAccepted,
            call(api, "POST", redeliver_path(paid_id, 3), None, "d1"),
        ),
        (answers.Problem, call(api, "POST", "/api/v1/payments", {"amount": 1.5}, "k4")),
        (answers.Health, api.send("GET", "/health")),
    ]

    for model, answer in found:
        model.model_validate_json(answer.body, strict=True)


CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
]


def configuration() -> SchemathesisConfig:
    bounded = {"generation": {"max-examples": 6 * MULTIPLIER}}
    return SchemathesisConfig.from_dict(
        {
            "headers": {"X-API-Key": API_KEY},
            "generation": {"deterministic": MULTIPLIER == 1, "database": "none"},
            # 503 is the promised answer for a method without a gateway; its codes are enumerated
            # in the document, so an unknown one fails the schema.
            "checks": {
                "enabled": False,
                **{name: {"enabled": True} for name in CHECKS},
                "not_a_server_error": {
                    "enabled": True,
                    "expected-statuses": ["2xx", "4xx", "503"],
                },
                # Without 409 and 503, which come after validation: a bad request got too far.
                "negative_data_rejection": {
                    "enabled": True,
                    "expected-statuses": ["400", "401", "404", "405", "413", "415", "422"],
                },
            },
            "phases": {"fuzzing": bounded, "stateful": bounded},
        }
    )


def with_fresh_keys(api: ApiGateway) -> Callable[..., Answer]:
    """Send with a new key wherever the document's example of a key is used: else every body but
    the first would be refused for its key, and nothing be learned about the body."""
    numbers = count()

    def send(method: str, path: str, query: str, headers: Headers, body: bytes) -> Answer:
        fresh = f"fresh-{next(numbers)}"
        changed = [(name, fresh if text == IDEMPOTENCY_KEY else text) for name, text in headers]
        return api.send(method, path, query, changed, body)

    return send


def seen(event: events.EngineEvent) -> tuple[list[int], list[str]]:
    """The statuses and the failures that an event of schemathesis tells of."""
    if isinstance(event, events.NonFatalError | events.FatalError):
        return [], [str(event)]
    if not isinstance(event, events.ScenarioFinished):
        return [], []
    answered = [i.response for i in event.recorder.interactions.values() if i.response]
    checks = [check for found in event.recorder.checks.values() for check in found]
    failed = [f"{c.name}: {c.failure_info.failure}" for c in checks if c.failure_info]
    return [answer.status_code for answer in answered], failed


def test_what_schemathesis_makes_of_the_document_is_answered_as_it_says(
    api: ApiGateway, fuzz_report: Counter[str]
) -> None:
    asgi = as_asgi(with_fresh_keys(api))
    schema = schemathesis.openapi.from_asgi("/openapi.json", asgi, config=configuration())
    schema.validate()
    statuses: Counter[int] = Counter()
    failures: list[str] = []

    for event in schemathesis.engine.from_schema(schema).execute():
        answered, failed = seen(event)
        statuses.update(answered)
        failures += failed

    fuzz_report["schemathesis"] += statuses.total()
    assert not failures, "\n\n".join(sorted(set(failures))[:10])
    assert {200, 202, 400, 401, 404, 405, 422} <= set(statuses), "the document was hardly tried"
