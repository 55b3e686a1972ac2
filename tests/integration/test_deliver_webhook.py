"""Deliveries against moto and a real HTTP endpoint on loopback."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from riel.app import App
from riel.clock import utc_now
from riel.services.deliver_webhook import Webhook, deliver_webhook
from riel.store.queues import Received
from standardwebhooks import Webhook as Verifier

from tests.builders import WEBHOOK_SECRET
from tests.endpoint import Endpoint


def webhook(url: str, **fields: Any) -> Webhook:
    body = '{"type":"payment.completed","data":{"payment_id":"pay_1"}}'
    given = Webhook("evt_1", "payment.completed", "pay_1", "demo", url, body)
    return replace(given, **fields)


def next_message(queue: Any) -> Webhook:
    (message,) = queue.receive(0)
    assert isinstance(message, Received)
    return Webhook.read(json.loads(message.body))


def test_a_webhook_arrives_signed_and_is_recorded(app: App, endpoint: Endpoint) -> None:
    app.clock = utc_now  # the verifier compares with real time

    assert deliver_webhook(app, webhook(endpoint.url)) == "delivered"

    ((headers, body),) = endpoint.received
    assert Verifier(WEBHOOK_SECRET).verify(body, headers)["type"] == "payment.completed"
    assert headers["webhook-id"] == "evt_1"
    (delivery,) = app.deliveries.of_payment("pay_1")
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 200)


def test_a_failure_is_tried_again_by_a_delayed_copy_with_the_same_id(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 302]

    first = deliver_webhook(app, webhook(endpoint.url))
    second = deliver_webhook(app, webhook(endpoint.url, attempt=2))
    third = deliver_webhook(app, webhook(endpoint.url, attempt=3))

    assert (first, second, third) == ("pending: again in 1 s", "pending: again in 2 s", "delivered")
    assert {headers["webhook-id"] for headers, _ in endpoint.received} == {"evt_1"}
    (delivery,) = app.deliveries.of_payment("pay_1")
    assert [attempt.status for attempt in delivery.attempts] == [500, 302, 200]


def test_out_of_attempts_the_delivery_is_dead_lettered_and_visible(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500] * 4

    for attempt in (1, 2, 3, 4):
        done = deliver_webhook(app, webhook(endpoint.url, attempt=attempt))

    assert done == "failed"
    assert next_message(app.webhooks_dlq) == webhook(endpoint.url, attempt=4)
    (delivery,) = app.deliveries.of_payment("pay_1")
    assert delivery.state == "failed"


def test_410_stops_at_once(app: App, endpoint: Endpoint) -> None:
    endpoint.statuses = [410]

    assert deliver_webhook(app, webhook(endpoint.url)) == "failed"
    assert len(endpoint.received) == 1


def test_a_message_that_comes_twice_sends_nothing_twice(app: App, endpoint: Endpoint) -> None:
    deliver_webhook(app, webhook(endpoint.url))

    assert deliver_webhook(app, webhook(endpoint.url)) == "nothing to do"
    assert len(endpoint.received) == 1


def test_a_sender_that_died_after_its_record_still_gets_its_next_attempt(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(endpoint.url))
    app.webhooks_queue.receive(0)

    again = deliver_webhook(app, webhook(endpoint.url))

    assert again.startswith("pending: again in")
    assert len(endpoint.received) == 1


def test_retry_after_is_honoured(app: App, endpoint: Endpoint) -> None:
    endpoint.statuses, endpoint.headers = [429], {"Retry-After": "60"}

    assert deliver_webhook(app, webhook(endpoint.url)) == "pending: again in 60 s"


def test_nobody_listens(app: App) -> None:
    done = deliver_webhook(app, webhook("http://127.0.0.1:9/"))

    assert done.startswith("pending")
    (delivery,) = app.deliveries.of_payment("pay_1")
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (0, "ConnectError")


def test_an_address_that_is_not_public_is_never_called(app: App) -> None:
    app.resolver = lambda _host, _port: ["10.0.0.1"]

    assert deliver_webhook(app, webhook("https://example.com/")) == "failed"
    (delivery,) = app.deliveries.of_payment("pay_1")
    assert delivery.attempts[0].error == "ForbiddenDestination"


def test_messages_read_back_as_they_were_written() -> None:
    one = webhook("https://example.com/", attempt=3, base=1)

    assert Webhook.read(asdict(one)) == one
