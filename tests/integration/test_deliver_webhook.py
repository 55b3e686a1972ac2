"""One delivery, turn by turn, against a real HTTP endpoint on loopback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from riel.app import App
from riel.clock import utc_now
from riel.domain.instants import to_text
from riel.errors import MalformedMessageError, StoreUnavailableError
from riel.services.deliver_webhook import deliver_webhook
from riel.services.endpoint_health import FORBIDDEN
from riel.services.redeliver_webhook import redeliver
from riel.services.webhook_message import Webhook
from riel.store.deliveries import COPY_GRACE
from riel.store.endpoints import Endpoint as Health
from riel.store.endpoints import EndpointStore
from tests.builders import NOON, WEBHOOK_SECRET, FakeClock
from tests.endpoint import Endpoint
from tests.relayed import delivery_of, messages, webhook


def test_a_webhook_arrives_signed_and_is_recorded(app: App, endpoint: Endpoint) -> None:
    app.clock = utc_now  # the verifier compares with real time

    assert deliver_webhook(app, webhook(endpoint.url)) == "delivered"

    ((headers, body),) = endpoint.received
    assert Verifier(WEBHOOK_SECRET).verify(body, headers)["type"] == "payment.completed"
    assert headers["webhook-id"] == "evt_1"
    delivery = delivery_of(app)
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 200)
    assert (delivery.next_at, delivery.due_at) == (None, None)


def test_a_failure_is_recorded_with_its_next_attempt_in_the_index_and_as_a_copy(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500]

    assert deliver_webhook(app, webhook(endpoint.url)) == "pending: again in 1 s"

    delivery = delivery_of(app)
    assert delivery.next_at == NOON + timedelta(seconds=1)
    assert delivery.due_at == delivery.next_at + COPY_GRACE
    assert (delivery.turn, delivery.tries, delivery.attempt_count) == (2, 1, 1)
    assert app.webhooks_queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 1}


def test_a_message_that_comes_twice_sends_nothing_twice(app: App, endpoint: Endpoint) -> None:
    deliver_webhook(app, webhook(endpoint.url))

    assert deliver_webhook(app, webhook(endpoint.url), receives=2) == "nothing to do: delivered"
    assert len(endpoint.received) == 1


def test_a_message_that_comes_twice_makes_no_second_copy(app: App, endpoint: Endpoint) -> None:
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(endpoint.url))

    assert deliver_webhook(app, webhook(endpoint.url), receives=2) == "nothing to do: pending"
    assert app.webhooks_queue.depth()["delayed"] == 1


def test_a_late_message_serves_when_the_copy_of_the_present_turn_was_lost(
    app: App, endpoint: Endpoint, clock: FakeClock
) -> None:
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(endpoint.url))
    clock.advance(1)

    assert deliver_webhook(app, webhook(endpoint.url), receives=2) == "delivered"
    # And the copy, if it comes after all, finds its turn over.
    copy = Webhook("demo", "pay_1", "evt_1", turn=2)
    assert deliver_webhook(app, copy) == "nothing to do: delivered"
    assert len(endpoint.received) == 2


@pytest.mark.parametrize(("asked", "waits"), [("60", 60), ("86400", 3600), ("0", 1), ("soon", 1)])
def test_fc_71_retry_after_lengthens_the_wait_to_an_hour_at_most(
    app: App, endpoint: Endpoint, asked: str, waits: int
) -> None:
    endpoint.statuses, endpoint.headers = [429], {"Retry-After": asked}

    assert deliver_webhook(app, webhook(endpoint.url)) == f"pending: again in {waits} s"


@pytest.mark.parametrize("status", [503, 500, 404])
def test_fc_71_retry_after_as_a_date_is_honoured_with_any_failure(
    app: App, endpoint: Endpoint, status: int
) -> None:
    endpoint.statuses = [status]
    endpoint.headers = {"Retry-After": "Fri, 17 Apr 2026 12:10:00 GMT"}

    assert deliver_webhook(app, webhook(endpoint.url)) == "pending: again in 600 s"


def test_a_wait_of_more_than_a_quarter_of_an_hour_is_the_index_s_alone(
    app: App, endpoint: Endpoint
) -> None:
    endpoint.statuses, endpoint.headers = [503], {"Retry-After": "901"}

    deliver_webhook(app, webhook(endpoint.url))

    assert delivery_of(app).due_at == NOON + timedelta(seconds=901)
    assert app.webhooks_queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 0}


def test_nobody_listens(app: App) -> None:
    done = deliver_webhook(app, webhook("http://127.0.0.1:9/"))

    assert done.startswith("pending")
    (attempt,) = delivery_of(app).attempts
    assert (attempt.status, attempt.error) == (0, "connection_failed")


def test_a_forbidden_destination_fails_at_once_with_a_letter_and_is_never_called(app: App) -> None:
    app.resolver = lambda _host, _port: ["10.0.0.1"]

    done = deliver_webhook(app, webhook("https://example.com/"))

    assert done == "failed: forbidden_destination"
    assert delivery_of(app).attempts[0].error == "forbidden_destination"
    assert messages(app.webhooks_dlq) == [Webhook("demo", "pay_1", "evt_1", turn=2)]


def test_a_forbidden_destination_stops_its_endpoint_so_that_it_makes_one_letter(app: App) -> None:
    app.resolver = lambda _host, _port: ["10.0.0.1"]
    url = "https://example.com/"

    done = [deliver_webhook(app, webhook(url, event_id=f"evt_{n}")) for n in range(1, 4)]
    other = deliver_webhook(app, webhook(f"{url}other", event_id="evt_4"))

    assert done == ["failed: forbidden_destination", *["failed: the endpoint is stopped"] * 2]
    assert app.endpoints.get("demo", url).why == FORBIDDEN
    assert other == "failed: forbidden_destination", "an endpoint is one exact URL"
    assert [letter.event_id for letter in messages(app.webhooks_dlq)] == ["evt_1", "evt_4"]


def test_a_stopped_endpoint_that_is_not_forbidden_any_more_opens_when_somebody_asks(
    app: App, endpoint: Endpoint
) -> None:
    named = endpoint.url.replace("127.0.0.1", "localhost")
    app.resolver = lambda _host, _port: ["10.0.0.1"]
    deliver_webhook(app, webhook(named))

    app.resolver = lambda _host, _port: ["127.0.0.1"]
    redeliver(app, delivery_of(app))
    assert deliver_webhook(app, webhook(named, turn=3)) == "delivered"

    assert app.endpoints.get("demo", named).is_stopped is False


def test_an_event_that_is_no_longer_kept_ends_its_delivery(app: App, endpoint: Endpoint) -> None:
    endpoint.statuses = [500]
    deliver_webhook(app, webhook(endpoint.url))

    # Nothing stands in the outbox, as after its 14 days; only the relay's message has the body.
    done = deliver_webhook(app, Webhook("demo", "pay_1", "evt_1", turn=2))

    assert done == "failed: event_expired"
    assert len(endpoint.received) == 1


def test_the_last_receive_sends_nothing_and_the_schedule_goes_on(
    app: App, endpoint: Endpoint
) -> None:
    """Whoever had the message before has died of it, or with it."""
    last = app.config.webhooks_max_receives

    assert deliver_webhook(app, webhook(endpoint.url), receives=last) == "pending: again in 1 s"

    assert endpoint.received == []
    assert [attempt.error for attempt in delivery_of(app).attempts] == ["sender_ended"]


def test_a_letter_that_sqs_itself_sends_back_begins_a_new_run(app: App, endpoint: Endpoint) -> None:
    endpoint.statuses = [410]
    deliver_webhook(app, webhook(endpoint.url))
    (letter,) = messages(app.webhooks_dlq)

    assert deliver_webhook(app, letter) == "sent again"
    (again,) = messages(app.webhooks_queue)
    # From the relay's message, because no outbox stands behind this test.
    assert deliver_webhook(app, replace(webhook(endpoint.url), turn=again.turn)) == "delivered"
    assert [attempt.status for attempt in delivery_of(app).attempts] == [410, 200]


def test_only_a_message_that_comes_again_makes_a_second_letter(
    app: App, endpoint: Endpoint
) -> None:
    """Its first receiver may have died between the record and the letter."""
    endpoint.statuses = [410]
    deliver_webhook(app, webhook(endpoint.url))

    assert deliver_webhook(app, webhook(endpoint.url)) == "nothing to do: failed"
    assert deliver_webhook(app, webhook(endpoint.url), receives=2) == "failed: gone"
    assert len(messages(app.webhooks_dlq)) == 2


def test_asked_for_twice_at_once_it_is_sent_once(app: App, endpoint: Endpoint) -> None:
    deliver_webhook(app, webhook(endpoint.url))
    seen = delivery_of(app)

    assert redeliver(app, seen) == "sent again"
    assert redeliver(app, seen) == "somebody else has just asked for it"

    assert len(messages(app.webhooks_queue)) == 1


def test_the_newest_thirty_attempts_are_kept_and_all_are_counted(
    app: App, endpoint: Endpoint, clock: FakeClock
) -> None:
    endpoint.statuses = [500] * 35
    for turn in range(1, 36):
        deliver_webhook(app, webhook(endpoint.url, turn=turn))
        if delivery_of(app).state == "failed":
            redeliver(app, delivery_of(app))
            app.deliveries.save(delivery_of(app), replace(delivery_of(app), turn=turn + 1))
        clock.advance(60)

    delivery = delivery_of(app)
    assert (len(delivery.attempts), delivery.attempt_count) == (30, 35)
    assert delivery.attempts[-1].at == to_text(clock() - timedelta(seconds=60))


def test_a_secret_that_can_not_be_read_puts_the_webhook_off_without_an_attempt(
    app: App, endpoint: Endpoint
) -> None:
    class Locked:
        def of(self, _merchant: object) -> tuple[str, ...]:
            raise StoreUnavailableError("KMS does not answer")

    app.__dict__["webhook_secrets"] = Locked()
    sent = webhook(endpoint.url)

    for waits, delay in enumerate((1, 2, 4, 8)):
        done = deliver_webhook(app, replace(sent, waits=waits))
        assert done == f"put off for {delay} s: the merchant's secret can not be read"
    assert app.deliveries.get("pay_1", "evt_1") is None
    done = deliver_webhook(app, replace(sent, waits=4))

    assert done.startswith("put off until 2026-04-17T12:0")
    held = delivery_of(app)
    assert (held.turn, held.attempt_count, held.next_at) == (1, 0, held.due_at)
    assert app.webhooks_queue.depth()["delayed"] == 4
    assert endpoint.received == []


def test_health_that_can_not_be_noted_does_not_repeat_the_webhook(
    app: App, endpoint: Endpoint
) -> None:
    class Throttled(EndpointStore):
        def save(self, before: Health, after: Health) -> bool:
            raise StoreUnavailableError("throttled")

    app.__dict__["endpoints"] = Throttled(app.dynamodb, "payments", app.clock)
    endpoint.statuses = [500]

    assert deliver_webhook(app, webhook(endpoint.url)) == "pending: again in 1 s"
    assert delivery_of(app).attempt_count == 1


@pytest.mark.parametrize(
    "fields",
    [{"merchant_id": ""}, {"turn": 0}, {"waits": -1}, {"turn": "1"}, {"at": "x"}],
)
def test_a_message_that_is_none_is_refused(app: App, fields: dict[str, Any]) -> None:
    sent = webhook("https://example.com/").fields() | fields

    with pytest.raises(MalformedMessageError):
        deliver_webhook(app, Webhook.read(sent))


def test_a_message_about_a_delivery_that_does_not_exist_is_refused(app: App) -> None:
    with pytest.raises(MalformedMessageError, match="does not exist"):
        deliver_webhook(app, Webhook("demo", "pay_1", "evt_1"))


def test_messages_read_back_as_they_were_written() -> None:
    one = webhook("https://example.com/", waits=3)

    assert Webhook.read(one.fields()) == one


def test_no_log_holds_the_path_or_query_of_an_endpoint(
    app: App, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.statuses = [410]
    with caplog.at_level("INFO"):
        deliver_webhook(app, webhook(endpoint.url.replace("hook", "T00/s3cr3t?token=s3cr3t")))

    assert len(endpoint.received) == 1
    assert "endpoint stopped" in caplog.text
    assert "s3cr3t" not in caplog.text
