"""Sweepers that run at once, on the engine: the model has no real races."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from infra.local.aws import Aws
from riel.app import App
from riel.services.sweep import Swept, sweep
from tests.builders import NOON, FakeClock, create_tables, lane_at, make_app, store_payment

PREFIX = "sweepers-"
TABLES = ("payments", "outbox", "merchants", "idempotency", "limits")
SWEEPERS = 4
PAYMENTS = 30
AGE = 300


@pytest.fixture
def new_app(engine_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], App]]:
    """Environments of the sweeper over the same tables and queue, at the same moment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    create_tables(engine_aws.dynamodb, PREFIX)
    url = engine_aws.queues.create_queue(QueueName=PREFIX + "payments")["QueueUrl"]
    settings: dict[str, Any] = {f"{name}_table": PREFIX + name for name in TABLES}
    settings |= {"payments_queue_url": url, "sweep_ages_seconds": (AGE,)}
    settings["webhooks_queue_url"] = url  # which no event here is for
    clock = FakeClock()
    yield lambda: make_app(clock=clock, **settings)
    for name in (*TABLES, "simulator"):
        engine_aws.dynamodb.delete_table(TableName=PREFIX + name)
    engine_aws.queues.delete_queue(QueueUrl=url)


def sweep_at_once(new_app: Callable[[], App]) -> list[Swept]:
    apps = [new_app() for _ in range(SWEEPERS)]
    together = Barrier(SWEEPERS, timeout=60)

    def run(app: App) -> Swept:
        assert app.sqs  # made before the start, not in the race
        together.wait()
        return sweep(app, 60)

    with ThreadPoolExecutor(SWEEPERS) as pool:
        return list(pool.map(run, apps))


def sent(app: App) -> Counter[str]:
    found: Counter[str] = Counter()
    while batch := app.payments_queue.receive(60):
        for message in batch:
            found[json.loads(message.body)["payment_id"]] += 1
            app.payments_queue.delete(message.receipt)
    return found


def test_sweepers_at_once_miss_nothing_and_repeat_within_bounds(
    new_app: Callable[[], App],
) -> None:
    app = new_app()
    app.watermarks.move(AGE, None, lane_at(app, NOON))
    due = [store_payment(app, idempotency_key=f"due-{n}", due_at=NOON) for n in range(PAYMENTS)]
    lost = [store_payment(app, idempotency_key=f"lost-{n}") for n in range(PAYMENTS)]
    app.clock.advance(AGE + 60)  # type: ignore[attr-defined]

    runs = sweep_at_once(new_app)

    found = sent(app)
    assert set(found) == {payment.payment_id for payment in (*due, *lost)}
    assert max(found.values()) <= SWEEPERS, "each sweeper sends a thing at most once"
    assert sum(run.due_sent + run.republished for run in runs) == found.total()
    # All is moved on, once: a run right after finds nothing left.
    assert app.watermarks.get(AGE) is not None
    assert sweep(app, 60) == Swept()
    assert sent(app) == Counter()
