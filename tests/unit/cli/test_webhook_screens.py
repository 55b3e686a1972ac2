"""What a person, or a program, reads where a list or a run was cut."""

from __future__ import annotations

import pytest

from infra.cli.webhook_screens import (
    endpoints_document,
    more_endpoints,
    print_redelivered,
    redelivered_document,
)
from riel.services.redeliver_range import Redelivered
from riel.services.stopped_endpoints import StoppedEndpoints
from riel.store.endpoints import Endpoint
from tests.builders import NOON


def test_a_run_that_ended_early_says_from_where_the_next_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cut = Redelivered(found=12, sent=10, others=2, next_from=NOON)

    print_redelivered(cut, dry_run=False)

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("run it again with --from 2026-04-17T12:00:00.000Z")
    assert redelivered_document(cut, dry_run=False)["next_from"] == "2026-04-17T12:00:00.000Z"


def test_a_run_that_came_to_its_end_says_nothing_of_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Redelivered(found=1, sent=1)

    print_redelivered(whole, dry_run=True)

    assert capsys.readouterr().out == "1 event looked at, 1 would be sent again.\n"
    assert redelivered_document(whole, dry_run=True)["next_from"] is None


def test_a_list_of_stopped_endpoints_tells_that_it_is_cut() -> None:
    stopped = Endpoint("demo", "https://example.com/", NOON, NOON, NOON, "forbidden")

    document = endpoints_document(StoppedEndpoints([stopped], has_more=True))

    assert document["has_more"] is True
    assert [one["why"] for one in document["data"]] == ["forbidden"]
    assert "the first 1, and there are more" in more_endpoints(1, "")
    assert "--merchant ID" in more_endpoints(1, "")
    assert "--merchant" not in more_endpoints(1, "demo"), "it was given"
