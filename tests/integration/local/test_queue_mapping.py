"""What the engine's own poller of SQS mappings does: the properties that the product relies on."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from tests.integration.local.conftest import SampleStage

pytestmark = pytest.mark.engine


def name() -> str:
    return str(uuid.uuid4())


def notes(stage: SampleStage, ids: set[str], seconds: float = 60) -> list[dict[str, Any]]:
    bodies = stage.receive_until(
        "done",
        lambda found: ids <= {json.loads(b)["id"] for b in found if b.startswith("{")},
        seconds,
    )
    return [json.loads(body) for body in bodies if body.startswith("{")]


def test_a_delayed_message_waits_for_its_delay_while_others_overtake_it(
    stage: SampleStage,
) -> None:
    delayed, prompt = name(), name()
    began = time.time()
    stage.send("work", {"id": delayed, "do": "ok"}, DelaySeconds=3)
    stage.send("work", {"id": prompt, "do": "ok"})
    found = {note["id"]: note for note in notes(stage, {delayed, prompt})}
    assert found[delayed]["at"] - began >= 2.9
    assert found[prompt]["at"] < found[delayed]["at"]
    assert [found[one]["receives"] for one in (delayed, prompt)] == [1, 1]


def test_batches_run_side_by_side_up_to_the_maximum_concurrency(stage: SampleStage) -> None:
    slow = {name() for _ in range(30)}
    for one in slow:
        stage.send("work", {"id": one, "do": "ok", "sleep": 0.3})
    found = notes(stage, slow, 60)
    ends = [(n["at"], n["batch"]) for n in found]
    assert len(ends) == 30


def test_a_failed_message_comes_back_when_its_changed_visibility_is_over(
    stage: SampleStage,
) -> None:
    failed, neighbour = name(), name()
    url = stage.queue_url("work")
    bodies = (
        {"id": failed, "do": "fail", "visibility": 1},
        {"id": neighbour, "do": "ok"},
    )
    stage.aws.queues.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(i), "MessageBody": json.dumps(b)} for i, b in enumerate(bodies)],
    )
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while len([n for n in found if n["id"] == failed]) < 2:
        assert time.monotonic() < deadline
        found += notes(stage, {failed})
    tries = [n for n in found if n["id"] == failed]
    assert [n["receives"] for n in tries] == [1, 2]
    assert tries[1]["at"] - tries[0]["at"] >= 0.9
    assert [n["receives"] for n in found if n["id"] == neighbour] == [1]
    dead = stage.receive_until("work-dlq", lambda bodies: len(bodies) >= 1)
    assert json.loads(dead[0])["id"] == failed
