"""One seed is one run: whatever ran before it, whichever process runs it."""

from __future__ import annotations

import gc
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from threading import Event, Thread

import boto3
import pytest

from infra.simulation.deployment import Deployment
from infra.simulation.kernel import Task
from infra.simulation.plays import Scene, Story, told_once
from infra.simulation.runs import Run, run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.seeds import Search, Trial, try_seed
from infra.simulation.trace import trace
from riel import threads
from riel.app import App

STORMY = 7
SEARCH = Search(payments=(0, 1, 2))


def lines(seed: int) -> tuple[str, ...]:
    return try_seed(Trial(SEARCH, seed, with_trace=True)).trace


def outside() -> list[object]:
    """What leads outside, and a run replaces."""
    return [time.sleep, time.monotonic, uuid.uuid4, random.random, random.uniform,
            secrets.token_hex, socket.create_connection, boto3.session.Session,
            threads.pool, threads.Lock, threads.after, threads.start,
            vars(App)["from_environment"], dict(os.environ)]  # fmt: skip


def test_a_seed_is_the_same_run_twice_and_after_another_one() -> None:
    first = lines(STORMY)

    assert lines(STORMY) == first
    other = lines(STORMY + 1)
    assert lines(STORMY) == first
    assert other != first
    assert any(line.startswith("!") for line in first)


def test_it_is_the_same_run_in_processes_that_hash_in_other_ways() -> None:
    code = (
        "from tests.simulation.test_reproducible import STORMY, lines\n"
        "print(*lines(STORMY), sep='\\n')"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert printed[0] == printed[1] == "\n".join(lines(STORMY)) + "\n"


def wrong_actor(scene: Scene) -> None:
    scene.pay(payment_method_token="tok_ok")
    raise ZeroDivisionError


def wrong_model(scene: Scene) -> None:
    def behave(_number: int) -> tuple[int, float]:
        raise ZeroDivisionError

    scene.pay(payment_method_token="tok_ok", webhook_url=scene.listen(behave))


@pytest.mark.parametrize("story", [wrong_actor, wrong_model])
def test_a_run_that_goes_wrong_says_so_and_leaves_nothing_behind(
    story: Story, deployment: Deployment, tmp_path: Path
) -> None:
    calm = told(run(deployment, SCENARIOS["card-completed"], 1))
    before = outside()

    broken = run(deployment, told_once("wrong", story), 1)

    assert "the simulator works" in {one.name for one in broken.violations}
    assert outside() == before
    (tmp_path / "now").touch()
    assert abs(time.time() - (tmp_path / "now").stat().st_mtime) < 60
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, Task) and not one.is_done]
    assert told(run(deployment, SCENARIOS["card-completed"], 1)) == calm


def told(run: Run) -> list[str]:
    return list(trace(run, with_reads=True))


def test_what_other_threads_do_meanwhile_is_no_part_of_a_run() -> None:
    first, is_over = lines(STORMY), Event()
    errors: list[Exception] = []

    def work() -> None:
        while not is_over.is_set():
            try:
                uuid.uuid4()
                random.random()
                secrets.token_hex()
                time.sleep(0.0005)
            except Exception as error:  # noqa: BLE001 - the test tells of it
                errors.append(error)

    thread = Thread(target=work)
    thread.start()
    try:
        again = lines(STORMY)
    finally:
        is_over.set()
        thread.join()

    assert again == first
    assert not errors
