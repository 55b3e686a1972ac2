"""`riel webhooks resume`: the command that it prints sends what the endpoint has missed."""

from __future__ import annotations

import io
import shlex
from datetime import datetime, timedelta

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra.cli import webhooks
from infra.cli.main import app as riel
from infra.cli.stage_access import StageAccess
from infra.cli.webhook_screens import print_endpoints
from infra.names import Names
from infra.stages import STAGES
from riel.app import App
from riel.clock import utc_now
from riel.services.endpoint_health import FAILING, FORBIDDEN, GONE, note_failure
from riel.services.stopped_endpoints import missed_since
from riel.store import endpoints
from riel.store.deliveries import DELIVERED, ENDPOINT_STOPPED, FAILED, PENDING
from riel.store.keys import OUTBOX_LIFE
from riel.webhooks.schedule import JITTER
from tests.builders import NOON, FakeClock
from tests.endpoint import Endpoint
from tests.integration.test_deliveries_api import store_delivery
from tests.integration.test_redeliver import stored
from tests.payments import store_completed
from tests.webhook_timeline import WebhookTimeline, retry_slowly, told

URL = "https://example.com/hook"
RETRIES = STAGES["prod"].webhook_retry_seconds
WHOLE = timedelta(seconds=sum(RETRIES))


@pytest.fixture(autouse=True)
def _stage(app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local stage, opened over this app, a little while ago."""
    clock.now = utc_now() - timedelta(hours=1)
    retry_slowly(app, STAGES["local"].webhook_retry_seconds)
    access = StageAccess("local", app, Names("local"), {})
    monkeypatch.setattr(webhooks, "open_stage", lambda _stage: access)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(riel, list(arguments))
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result.output


def test_what_waited_at_the_stop_is_sent_again_by_the_printed_command(
    app: App, clock: FakeClock, endpoint: Endpoint
) -> None:
    """It happened before the stop, and failed by it: its next attempt came after."""
    timeline = WebhookTimeline(app, clock)
    waiting = store_completed(app, webhook_url=endpoint.url)
    elsewhere = store_completed(app, idempotency_key="b", webhook_url=f"{endpoint.url}&c")
    store_delivery(app, elsewhere, state=FAILED)
    endpoint.statuses = [500]
    timeline.start(told(app, waiting))
    timeline.receive()
    assert stored(app, waiting).state == PENDING
    clock.advance(1)
    note_failure(app, app.endpoints.get("demo", endpoint.url), at_once=GONE)
    timeline.run()
    missed = stored(app, waiting)
    assert (missed.state, missed.failure) == (FAILED, ENDPOINT_STOPPED)

    printed = run("webhooks", "resume", "demo", endpoint.url).splitlines()[-1]
    clock.advance(endpoints.CACHE_SECONDS)
    said = run(*shlex.split(printed)[1:])
    timeline.run()

    assert said == "1 event looked at, 1 sent again.\n"
    assert stored(app, waiting).state == DELIVERED
    assert stored(app, elsewhere).state == FAILED


@pytest.mark.parametrize("why", [GONE, FAILING])
def test_it_begins_before_the_oldest_event_that_can_have_waited(why: str) -> None:
    stopped_at = NOON + timedelta(days=3)
    failing_since = NOON if why == FAILING else stopped_at
    stopped = endpoints.Endpoint("demo", URL, failing_since, stopped_at, stopped_at, why)

    since = missed_since(stopped, RETRIES, stopped_at)

    assert failing_since - since > (1 + JITTER) * WHOLE, "its waits may all have been long"
    assert failing_since - since < 2 * WHOLE


@pytest.mark.parametrize("failing_since", [None, NOON - timedelta(days=3)])
def test_it_begins_no_earlier_than_events_are_kept(failing_since: datetime | None) -> None:
    stopped = endpoints.Endpoint("demo", URL, failing_since, NOON, NOON, FAILING)
    now = NOON + timedelta(days=12)

    assert missed_since(stopped, RETRIES, now) == now - OUTBOX_LIFE


@pytest.mark.parametrize("width", [80, 100, 120])
def test_what_resume_takes_is_shown_whole_on_a_terminal(width: int) -> None:
    merchant_id, url = "mer_" + "a" * 26, f"{URL}?token={'x' * 60}"
    stopped = endpoints.Endpoint(merchant_id, url, NOON, NOON, NOON, FORBIDDEN)
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)

    print_endpoints(out, [stopped], NOON + timedelta(hours=3))

    assert isinstance(out.file, io.StringIO)
    assert out.file.getvalue().splitlines() == [
        f"{merchant_id}  {FORBIDDEN}  stopped 2026-04-17 12:00 UTC, 3 h ago",
        f"  {url}",
    ]


def test_an_unknown_merchant_is_one_sentence_and_where_to_look() -> None:
    for command in (("redeliver", "--from", "1m", "--to", "now"), ("endpoints",)):
        said = run("webhooks", *command, "--merchant", "nobody", code=1)
        assert said.startswith("There is no merchant nobody on the stage local.\nList them with: ")
