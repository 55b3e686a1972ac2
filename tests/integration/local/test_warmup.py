"""Every function that somebody waits for is started before anybody does."""

from __future__ import annotations

import pytest

from infra.local.errors import LocalStageError
from infra.local.warmup import Target, request_event, targets_of, warm
from tests.integration.local.conftest import SampleStage
from tests.integration.local.sample_stack import HOOKS_ROUTE

pytestmark = pytest.mark.engine


def test_functions_of_routes_streams_and_queues_are_warmed_each_once(stage: SampleStage) -> None:
    targets = targets_of(stage.aws, stage.api_id, api_workers=3)

    names = [target.function.rsplit(":", 1)[-1] for target in targets]
    assert names[:2] == ["api", "hooks"]
    assert sorted(names) == ["api", "consumer", "hooks", "relay"]
    workers = {name: target.workers for name, target in zip(names, targets, strict=True)}
    assert workers == {"api": 3, "hooks": 2, "consumer": 2, "relay": 1}


def test_a_route_is_asked_about_something_that_is_not_there(stage: SampleStage) -> None:
    event = request_event(stage.api_id, HOOKS_ROUTE)

    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/hooks/warm-up/events"
    assert event["pathParameters"] == {"name": "warm-up"}
    assert event["routeKey"] == event["requestContext"]["routeKey"] == HOOKS_ROUTE


def test_all_other_paths_are_asked_for_their_health(stage: SampleStage) -> None:
    event = request_event(stage.api_id, "$default")

    assert (event["requestContext"]["http"]["method"], event["rawPath"]) == ("GET", "/health")
    assert event["pathParameters"] == {}


def test_a_function_that_does_not_start_is_told_with_its_error(stage: SampleStage) -> None:
    broken = Target("relay", 1, {"Records": [{"no": "stream record"}]})
    with pytest.raises(LocalStageError, match=r"relay does not start: .*dynamodb"):
        warm(stage.aws, [broken])
