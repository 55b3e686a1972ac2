"""How deliveries take, keep and give back the turn to try a host that is not proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from riel.app import App
from riel.errors import StoreUnavailableError
from riel.observability import metrics
from riel.services.deliver_webhook import deliver_webhook
from riel.services.host_breakers import HostBreakers
from riel.services.webhook_message import Webhook
from riel.services.webhook_secrets import WebhookSecrets
from riel.store.merchants import Merchant
from riel.webhooks.sending import Answer, WebhookClient
from tests.breakers import HOST, HOSTS, SLOW, Backlog, goes, try_once
from tests.builders import FakeClock
from tests.endpoint import Endpoint


@pytest.mark.parametrize("was_slow", [True, False])
def test_the_backlog_of_a_slow_host_leaves_turns_to_hosts_that_are_prompt(
    app: App, breakers: HostBreakers, clock: FakeClock, was_slow: bool
) -> None:
    for host in HOSTS if was_slow else []:
        try_once(breakers, SLOW, host)
    clock.advance(2 * SLOW)
    backlog = Backlog(app, breakers, clock, seconds=8.0)

    waited = sorted(backlog.wait_of(host) for host in HOSTS)
    assert waited[len(waited) // 2] < 30
    assert waited[-1] < 300


def test_where_nothing_can_be_known_webhooks_go_and_that_is_counted(
    app: App, endpoint: Endpoint
) -> None:
    app.config = replace(app.config, limits_table="gone")

    assert deliver_webhook(app, _webhook(endpoint)) == "delivered"

    assert len(endpoint.received) == 1
    assert len(metrics.metric_set["WebhookHostUnknown"]["Value"]) == 2


def test_a_webhook_whose_host_may_not_be_called_yet_is_put_off_without_an_attempt(
    app: App, endpoint: Endpoint
) -> None:
    goes(app.host_breakers, endpoint.url.split("/")[2])

    done = deliver_webhook(app, _webhook(endpoint))

    assert done == "put off for 1 s: its host has to answer another first"
    assert (endpoint.received, app.webhooks_queue.depth()["delayed"]) == ([], 1)
    assert "WebhookPutOff" in metrics.metric_set


def test_a_webhook_that_can_not_be_signed_takes_nobodys_turn(app: App, endpoint: Endpoint) -> None:
    class Unreadable(WebhookSecrets):
        def of(self, merchant: Merchant) -> tuple[str, ...]:
            raise StoreUnavailableError("kms")

    app.__dict__["webhook_secrets"] = Unreadable(app)

    assert deliver_webhook(app, _webhook(endpoint)).startswith("put off")

    goes(HostBreakers(app), HOST)


def test_a_secret_that_nothing_can_be_signed_with_takes_nobodys_turn(
    app: App, endpoint: Endpoint
) -> None:
    class NotBase64(WebhookSecrets):
        def of(self, merchant: Merchant) -> tuple[str, ...]:
            return ("whsec_?",)

    app.__dict__["webhook_secrets"] = NotBase64(app)

    with pytest.raises(ValueError, match="whsec_"):
        deliver_webhook(app, _webhook(endpoint))

    assert endpoint.received == []
    goes(HostBreakers(app), HOST)


def test_an_attempt_that_breaks_gives_its_turn_back(app: App, endpoint: Endpoint) -> None:
    class Broken(WebhookClient):
        def post(self, *_: Any) -> Answer:
            raise RuntimeError("a defect of ours")

    app.__dict__["webhook_client"] = Broken()

    with pytest.raises(RuntimeError, match="ours"):
        deliver_webhook(app, _webhook(endpoint))

    goes(HostBreakers(app), HOST)


def _webhook(endpoint: Endpoint) -> Webhook:
    return Webhook(
        merchant_id="demo",
        payment_id="pay_1",
        event_id="evt_1",
        type="payment.completed",
        url=endpoint.url,
        at="2026-04-17T12:00:00.000Z",
        body="{}",
    )
