"""A merchant whose endpoint hangs, beside another: counted, not timed."""

from __future__ import annotations

from threading import Event

from infra.local.platform import LocalPlatform
from riel.store.deliveries import DELIVERED
from tests.end_to_end.client import until
from tests.load.sinks import Connections, Reply, running_sink
from tests.webhook_traffic import new_events, new_merchant, open_app, publish

SECONDS_HELD = 60
"""Longer than any attempt; the test itself lets go sooner."""


def test_fc_71_an_endpoint_that_hangs_holds_one_connection_and_no_other_merchants_webhooks(
    platform: LocalPlatform,
) -> None:
    app, held, let_go = open_app(platform), Connections(), Event()

    def hang(_webhook_id: str, _times: int) -> Reply:
        with held:
            let_go.wait(SECONDS_HELD)
        return Reply()

    with running_sink() as (prompt, prompt_url), running_sink(hang) as (_, hanging_url):
        good = new_events(new_merchant(app, "Good"), prompt_url, 20)
        bad = new_events(new_merchant(app, "Hangs"), hanging_url, 4)
        publish(app, bad)
        until(lambda: held.open, lambda connections: connections == 1)

        publish(app, good)
        wanted = {event.event_id for event in good}
        until(prompt.ids, lambda came: came == wanted)
        assert held.most == 1

        # Nothing of the other's is lost either: once its endpoint answers, all of it goes.
        let_go.set()
        until(
            lambda: [app.deliveries.get(event.payment_id, event.event_id) for event in bad],
            lambda found: all(one and one.state == DELIVERED for one in found),
            SECONDS_HELD * 3,
        )
