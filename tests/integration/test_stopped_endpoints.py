"""Stopped endpoints: listed for the operator, and opened again by one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from riel.app import App
from riel.errors import NotFoundError
from riel.services import stopped_endpoints
from riel.services.endpoint_health import (
    FAILING,
    FORBIDDEN,
    GONE,
    STOP_AFTER,
    note_failure,
    note_success,
)
from riel.services.stopped_endpoints import count_stopped, list_stopped, resume_endpoint
from riel.store.endpoints import Endpoint, EndpointStore
from tests.builders import NOON, FakeClock

URL = "https://example.com/hook"


def stop(app: App, url: str = URL, merchant_id: str = "demo") -> Endpoint:
    note_failure(app, Endpoint(merchant_id, url), at_once=GONE)
    return app.endpoints.get(merchant_id, url)


def test_stopped_endpoints_are_listed_by_merchant_the_longest_stopped_first(
    app: App, clock: FakeClock
) -> None:
    stop(app)
    clock.advance(60)
    stop(app, merchant_id="other")
    since = NOON - timedelta(days=3)
    worn = Endpoint("demo", "https://example.com/b", since, NOON)
    assert app.endpoints.save(Endpoint("demo", worn.url), worn)
    clock.advance(60)
    note_failure(app, worn)
    note_failure(app, Endpoint("demo", "https://example.com/c"))

    listed = list_stopped(app)
    found = listed.endpoints

    assert [(one.merchant_id, one.url, one.why) for one in found] == [
        ("demo", URL, GONE),
        ("demo", "https://example.com/b", FAILING),
        ("other", URL, GONE),
    ]
    assert [one.stopped_at for one in found] == [
        NOON,
        NOON + timedelta(minutes=2),
        NOON + timedelta(minutes=1),
    ]
    assert listed.has_more is False
    assert [one.url for one in list_stopped(app, "other").endpoints] == [URL]
    assert count_stopped(app) == 3


def test_one_merchants_stopped_endpoints_are_listed_however_many_another_has(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopped_endpoints, "MAX_ENDPOINTS", 3)
    for number in range(4):
        stop(app, f"https://example.com/{number}", "acme")
        clock.advance(1)
    stop(app)

    every, mine, theirs = (list_stopped(app, of) for of in ("", "demo", "acme"))

    assert [(len(one.endpoints), one.has_more) for one in (every, mine, theirs)] == [
        (3, True),
        (1, False),
        (3, True),
    ]
    assert mine.endpoints[0].merchant_id == "demo"
    assert list_stopped(app, "dem").endpoints == [], "a merchant's id is not the beginning of one"


def test_a_resumed_endpoint_is_as_good_as_new(app: App) -> None:
    stopped = stop(app)

    before = resume_endpoint(app, "demo", URL)

    assert before == stopped
    assert app.endpoints.get("demo", URL) == Endpoint("demo", URL)
    assert list_stopped(app).endpoints == []
    assert count_stopped(app) == 0


@pytest.mark.parametrize(
    ("merchant_id", "url"), [("demo", URL + "/"), ("other", URL), ("demo", "")]
)
def test_an_endpoint_is_a_merchant_and_an_exact_url(app: App, merchant_id: str, url: str) -> None:
    stop(app)

    with pytest.raises(NotFoundError):
        resume_endpoint(app, merchant_id, url)
    assert count_stopped(app) == 1


def test_one_that_fails_and_is_not_stopped_can_not_be_resumed(app: App) -> None:
    note_failure(app, Endpoint("demo", URL))

    with pytest.raises(NotFoundError):
        resume_endpoint(app, "demo", URL)


def other_environment(app: App) -> EndpointStore:
    """Endpoints as another worker sees them, with a memory of its own."""
    return EndpointStore(app.dynamodb, app.config.payments_table, app.clock)


def fail_until(app: App, clock: FakeClock, hours: float) -> None:
    """Let the endpoint fail every hour for so long."""
    begun = clock()
    while clock() - begun < timedelta(hours=hours):
        note_failure(app, app.endpoints.get("demo", URL))
        clock.advance(3600)


def test_a_failure_that_was_in_flight_does_not_undo_a_success(app: App, clock: FakeClock) -> None:
    fail_until(app, clock, STOP_AFTER / timedelta(hours=1))
    stale = app.endpoints.get("demo", URL)
    mine, app.__dict__["endpoints"] = app.endpoints, other_environment(app)
    assert note_success(app, app.endpoints.get("demo", URL))
    app.__dict__["endpoints"] = mine

    note_failure(app, stale)

    found = app.endpoints.read(stale.endpoint_id)
    assert found is not None
    assert (found.failing_since, found.is_stopped) == (clock(), False), "a new spell has begun"
    assert app.endpoints.get("demo", URL) == found


def test_410_stops_an_endpoint_whose_failures_another_worker_has_noted(app: App) -> None:
    stale = app.endpoints.get("demo", URL)
    mine, app.__dict__["endpoints"] = app.endpoints, other_environment(app)
    note_failure(app, app.endpoints.get("demo", URL))
    app.__dict__["endpoints"] = mine

    note_failure(app, stale, at_once=GONE)

    assert [one.why for one in list_stopped(app).endpoints] == [GONE]


def test_of_two_workers_that_stop_an_endpoint_one_tells_of_it(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    stop(app)
    app.__dict__["endpoints"] = other_environment(app)
    caplog.clear()

    note_failure(app, Endpoint("demo", URL), at_once=FORBIDDEN)

    assert "endpoint stopped" not in caplog.text
    assert app.endpoints.get("demo", URL).why == GONE


def test_a_stop_whose_answer_is_lost_is_told_of(app: App, caplog: pytest.LogCaptureFixture) -> None:
    class Repeated(EndpointStore):
        """The client sends each write again, against its own condition."""

        def save(self, before: Endpoint, after: Endpoint) -> bool:
            super().save(before, after)
            return super().save(before, after)

    app.__dict__["endpoints"] = Repeated(app.dynamodb, app.config.payments_table, app.clock)

    stopped = stop(app)

    assert stopped.is_stopped
    assert caplog.text.count("endpoint stopped") == 1
    assert resume_endpoint(app, "demo", URL) == stopped
