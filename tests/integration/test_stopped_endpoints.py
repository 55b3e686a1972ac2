"""Stopped endpoints: listed for the operator, and opened again by one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from riel.app import App
from riel.errors import NotFoundError
from riel.services.endpoint_health import FAILING, GONE, note_failure
from riel.services.stopped_endpoints import count_stopped, list_stopped, resume_endpoint
from riel.store.endpoints import Endpoint
from tests.builders import NOON, FakeClock

URL = "https://example.com/hook"


def stop(app: App, url: str = URL, merchant_id: str = "demo") -> Endpoint:
    note_failure(app, Endpoint(merchant_id, url), is_gone=True)
    return app.endpoints.get(merchant_id, url)


def test_stopped_endpoints_are_listed_the_longest_stopped_first(app: App, clock: FakeClock) -> None:
    stop(app)
    clock.advance(60)
    stop(app, merchant_id="other")
    since = NOON - timedelta(days=3)
    worn = Endpoint("demo", "https://example.com/b", since, NOON)
    clock.advance(60)
    note_failure(app, worn, is_gone=False)
    note_failure(app, Endpoint("demo", "https://example.com/c"), is_gone=False)

    found = list_stopped(app)

    assert [(one.merchant_id, one.url, one.why) for one in found] == [
        ("demo", URL, GONE),
        ("other", URL, GONE),
        ("demo", "https://example.com/b", FAILING),
    ]
    assert [one.stopped_at for one in found] == [
        NOON,
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=2),
    ]
    assert [one.url for one in list_stopped(app, "other")] == [URL]
    assert count_stopped(app) == 3


def test_a_resumed_endpoint_is_as_good_as_new(app: App) -> None:
    stopped = stop(app)

    before = resume_endpoint(app, "demo", URL)

    assert before == stopped
    assert app.endpoints.get("demo", URL) == Endpoint("demo", URL)
    assert list_stopped(app) == []
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
    note_failure(app, Endpoint("demo", URL), is_gone=False)

    with pytest.raises(NotFoundError):
        resume_endpoint(app, "demo", URL)
