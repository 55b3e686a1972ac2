"""Deliveries against moto and a real HTTP endpoint on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from threading import Event, Thread
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from riel.app import App
from riel.clock import utc_now
from riel.services.deliver_webhook import Webhook, deliver_webhook
from riel.store.queues import Received
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


@contextmanager
def raw_endpoint(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """An endpoint that speaks as badly as the test wants."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    answer(connection)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    thread.join(5)


def test_fc_71_an_endpoint_that_drips_its_headers_is_cut_at_the_total_deadline(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riel.webhooks.sending.DEADLINE_SECONDS", 1.0)
    ended = Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.05):
            connection.sendall(b"x-drip: 1\r\n")  # each read succeeds; only the total can end it

    with raw_endpoint(drip) as url:
        done = deliver_webhook(app, webhook(url))
        ended.set()

    (delivery,) = app.deliveries.of_payment("pay_1")
    assert done.startswith("pending")
    assert delivery.attempts[0].error == "DeadlineExceeded"


@pytest.mark.parametrize("rest", [b"", b"half of what was prom"])
def test_a_2xx_is_a_success_whatever_becomes_of_its_body(app: App, rest: bytes) -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + rest)

    with raw_endpoint(cut) as url:
        assert deliver_webhook(app, webhook(url)) == "delivered"


def test_the_next_address_is_tried_when_one_can_not_be_connected_to(
    app: App, endpoint: Endpoint
) -> None:
    app.resolver = lambda _host, _port: ["::1", "127.0.0.1"]
    url = endpoint.url.replace("127.0.0.1", "localhost")

    assert deliver_webhook(app, webhook(url)) == "delivered"
    assert endpoint.received[0][0]["host"].startswith("localhost:")


def test_no_log_holds_the_path_or_query_of_an_endpoint(
    app: App, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        deliver_webhook(app, webhook(endpoint.url.replace("hook", "T00/s3cr3t?token=s3cr3t")))

    assert len(endpoint.received) == 1
    assert "s3cr3t" not in caplog.text
