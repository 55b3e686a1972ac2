"""The function that takes PSPs' events, behind API Gateway, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from riel import ids
from riel.app import App
from riel.store.inbox import InboxEvent
from tests.builders import make_payment
from tests.gateway_events import event_body, sign
from tests.handlers import Context, load_handler
from tests.integration.api_gateway import Answer, event_of

PATH = "/api/v1/gateways/simulator/webhooks"
PAYMENT_ID = make_payment().payment_id
BODY = event_body(PAYMENT_ID)
INBOX_ID = ids.inbox_id("simulator", "evt_sim_1")


class Inbound:
    """The function, behind API Gateway."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = {
            "RIEL_PAYMENTS_TABLE": app.config.payments_table,
            "RIEL_GATEWAY_EVENTS_QUEUE_URL": app.config.gateway_events_queue_url,
            "RIEL_SIMULATOR_SECRET": app.config.simulator_secret,
        }
        self._handler, module = load_handler("gateway_webhooks", environment, monkeypatch)
        self.app: App = module._app
        self.app.clock = app.clock

    def post(
        self, body: bytes = BODY, headers: dict[str, str] | None = None, path: str = PATH
    ) -> Answer:
        return self.send("POST", path, body, sign(body) if headers is None else headers)

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        as_text: bool = False,
    ) -> Answer:
        event = event_of(method, path, "", headers.items(), body, as_text=as_text)
        answer = self._handler(event, Context())
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def kept(app: App, inbox_id: str = INBOX_ID) -> InboxEvent:
    event = app.inbox.get(inbox_id)
    assert event is not None
    return event


def messages(app: App) -> list[dict[str, Any]]:
    return [json.loads(m.body) for m in app.gateway_events_queue.receive(0)]


def everything(app: App) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = app.dynamodb.scan(TableName="payments")["Items"]
    return items


def metrics_of(printed: str) -> set[str]:
    """Names of the metrics that were written, as EMF does."""
    lines = [json.loads(line) for line in printed.splitlines() if '"CloudWatchMetrics"' in line]
    told = [d["Metrics"] for line in lines for d in line["_aws"]["CloudWatchMetrics"]]
    return {metric["Name"] for metrics in told for metric in metrics}


def refused(answer: Answer, status: int, code: str) -> None:
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
