"""Tasks take turns, and who is killed gets none: no `finally` of its gets anything out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from greenlet import GreenletExit

from infra.simulation.deployment import Deployment
from infra.simulation.kernel import Kernel, Owner
from infra.simulation.runs import run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.world import World
from riel.clock import utc_now
from riel.services import relay_events


def test_the_earliest_goes_next_and_a_wait_costs_its_time() -> None:
    kernel, told = Kernel(1, 100.0), list[tuple[str, float]]()

    def work(name: str, seconds: float) -> Callable[[], None]:
        def begin() -> None:
            kernel.sleep(seconds)
            told.append((name, kernel.elapsed))

        return begin

    tasks = [kernel.spawn("slow", work("slow", 2.0)), kernel.spawn("quick", work("quick", 1.0))]
    assert kernel.run(lambda: all(task.is_done for task in tasks), 200.0)

    assert told == [("quick", 1.0), ("slow", 2.0)]


def test_who_is_killed_does_nothing_more_not_even_when_the_run_is_dropped() -> None:
    kernel, owner, done = Kernel(1, 0.0), Owner(), list[str]()

    def work() -> None:
        try:
            kernel.sleep(5)
            done.append("after the death")
        finally:
            kernel.spawn("heir", lambda: done.append("heir"))
            done.append("finally went on")

    kernel.spawn("killed", work, owner)
    kernel.after(1, lambda: setattr(owner, "is_dead", True))
    kernel.run(lambda: False, 10.0)
    kernel.close()

    assert done == []


def test_a_finally_of_whoever_was_killed_gets_no_call_out(deployment: Deployment) -> None:
    world, owner = World(deployment, 1), Owner()
    app: dict[str, Any] = {}
    ends: list[str] = []

    def work() -> None:
        from infra.simulation.seams import _client  # noqa: PLC0415 - as a function would have it

        app["client"] = _client("dynamodb")
        try:
            world.kernel.sleep(5)
        finally:
            try:
                app["client"].put_item(
                    TableName=deployment.named("limits"), Item={"pk": {"S": "from the dead"}}
                )
            except GreenletExit:
                ends.append("refused")
                raise

    with world.running():
        world.kernel.spawn("killed", work, owner)
        world.kernel.after(1, lambda: setattr(owner, "is_dead", True))
        world.run(lambda: False, 10.0)

    assert ends == ["refused"]
    assert world.dynamodb.items(deployment.named("limits")) == []


def test_each_environment_has_a_clock_of_its_own(deployment: Deployment) -> None:
    world, seen = World(deployment, 1), dict[str, datetime]()
    ahead, behind = Owner(), Owner()
    ahead.skew_seconds, behind.skew_seconds = 0.5, -0.5

    def look(name: str) -> Callable[[], None]:
        return lambda: seen.update({name: utc_now()})

    with world.running():
        for name, owner in (("ahead", ahead), ("behind", behind), ("nobody's", None)):
            world.kernel.spawn(name, look(name), owner)
        world.run(lambda: len(seen) == 3, 1.0)

    now = datetime.fromtimestamp(world.kernel.start, UTC)
    assert {name: (at - now).total_seconds() for name, at in seen.items()} == pytest.approx(
        {"ahead": 0.5, "behind": -0.5, "nobody's": 0.0}
    )


def test_a_mistake_of_the_product_that_a_retry_heals_is_told(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, raised = relay_events._post, list[KeyError]()

    def post(letters: Any) -> list[str]:
        if not raised:
            raised.append(KeyError("planted"))
            raise raised[0]
        return real(letters)

    monkeypatch.setattr(relay_events, "_post", post)

    whole = run(deployment, SCENARIOS["card-completed"], 1)

    assert [violation.name for violation in whole.violations] == ["no code of ours breaks"]
    assert "planted" in whole.violations[0].text
