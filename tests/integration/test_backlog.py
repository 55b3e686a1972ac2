"""Back-pressure: who measures, who reads, and who is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from riel.app import MAX_ATTEMPTS, READ_TIMEOUT_SECONDS, App
from riel.errors import GatewayBusyError
from riel.services.backlog import (
    FULL_BATCH,
    LONGEST_MEASURE_SECONDS,
    LONGEST_RETRY_SECONDS,
    MEASURE_AGAIN_SECONDS,
    MEASURE_EVERY_SECONDS,
    READ_EVERY_SECONDS,
    STALE_SECONDS,
    require_room,
)
from riel.store.limits import Backlog
from riel.store.queues import Queue
from tests.builders import NOON, FakeClock, make_app
from tests.handlers import Context, load_handler

# 10 side by side at two seconds each: 1,500 messages take 300 seconds, which is the limit.
LIMIT, STEP_MS = 1_500, 2_000
PLENTY = 600.0
EVENT = Path(__file__).parents[2] / "events/processor/one_payment.json"


@pytest.fixture
def calls(app: App) -> list[str]:
    """Grows by the name of each call to the limits table or the queue."""
    made: list[str] = []
    for client, service in ((app.dynamodb, "dynamodb"), (app.sqs, "sqs")):
        client.meta.events.register(
            f"before-parameter-build.{service}.*", lambda model, **_: made.append(model.name)
        )
    return made


def waits(app: App, visible: int, gateway: str = "simulator") -> None:
    app.limits.record_backlog(gateway, visible, STEP_MS, app.clock())


def fill(app: App, messages: int) -> None:
    app.payments_queue.send_many([{"n": n} for n in range(messages)])


def measured(app: App) -> Backlog | None:
    return app.limits.backlog("simulator")


def test_a_payment_is_accepted_while_its_wait_is_short_enough(app: App) -> None:
    waits(app, LIMIT)

    require_room(app, "simulator")


@pytest.mark.parametrize(
    ("too_many", "seconds"), [(1, 1), (50, 10), (299, 60), (100_000, LONGEST_RETRY_SECONDS)]
)
def test_beyond_that_it_is_refused_with_the_time_after_which_there_is_room(
    app: App, too_many: int, seconds: int
) -> None:
    waits(app, LIMIT + too_many)

    with pytest.raises(GatewayBusyError) as refusal:
        require_room(app, "simulator")

    assert (refusal.value.status, refusal.value.code) == (503, "gateway_busy")
    assert refusal.value.retry_after_seconds == seconds


def test_the_backlog_of_one_gateway_holds_up_no_other(app: App) -> None:
    waits(app, 10 * LIMIT, "conekta")

    require_room(app, "simulator")


def test_fc_45_payments_pass_again_when_the_backlog_has_drained(app: App, clock: FakeClock) -> None:
    waits(app, 2 * LIMIT)
    with pytest.raises(GatewayBusyError):
        require_room(app, "simulator")

    waits(app, 0)
    clock.advance(READ_EVERY_SECONDS)

    require_room(app, "simulator")


@pytest.mark.parametrize("age_seconds", [STALE_SECONDS + 1, -STALE_SECONDS - 1])
def test_an_old_figure_and_one_of_the_future_refuse_nobody(
    app: App, clock: FakeClock, age_seconds: int
) -> None:
    waits(app, 10 * LIMIT)

    clock.advance(age_seconds)

    require_room(app, "simulator")


@pytest.mark.parametrize("is_there", [True, False])
def test_the_api_reads_once_in_five_seconds_whether_there_is_a_figure_or_not(
    app: App, clock: FakeClock, calls: list[str], is_there: bool
) -> None:
    if is_there:
        waits(app, 1)
    calls.clear()

    for _ in range(20):
        require_room(app, "simulator")
        clock.advance(0.5)

    assert calls == ["GetItem"] * 2


def answer(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Any")


FAILURES = [
    answer("ThrottlingException"),
    answer("AccessDeniedException"),
    ConnectTimeoutError(endpoint_url="x"),
]


def fail(client: Any, operation: str, error: Exception) -> None:
    def failing(**_: Any) -> None:
        raise error

    client.meta.events.register(f"before-parameter-build.{operation}", failing)


@pytest.mark.parametrize("error", FAILURES, ids=str)
def test_who_can_not_read_accepts_and_does_not_ask_for_each_payment(
    app: App, calls: list[str], error: Exception
) -> None:
    waits(app, 10 * LIMIT)
    calls.clear()
    fail(app.dynamodb, "dynamodb.GetItem", error)

    for _ in range(20):
        require_room(app, "simulator")

    assert calls == ["GetItem"]


@pytest.fixture
def warm(app: App, clock: FakeClock) -> App:
    """An environment of the processor that has lived for a while."""
    app.backlog_meter.after_batch(1, 2.0, PLENTY)
    clock.advance(MEASURE_EVERY_SECONDS)
    return app


def test_after_a_full_batch_the_figure_is_written_for_the_gateway(
    warm: App, clock: FakeClock
) -> None:
    fill(warm, 30)
    warm.payments_queue.send({"deferred": True}, delay_seconds=300)
    warm.payments_queue.receive(60)

    warm.backlog_meter.after_batch(FULL_BATCH, 2.0, PLENTY)

    found = measured(warm)
    assert found == Backlog(20, 2_000, int(NOON.timestamp() + MEASURE_EVERY_SECONDS) * 1_000)
    assert found.drain_seconds(parallel=40) == 1.0


def test_one_call_to_a_shared_queue_and_one_to_the_table_for_each_gateway_in_five_seconds(
    warm: App, clock: FakeClock, calls: list[str]
) -> None:
    for _ in range(20):
        warm.backlog_meter.after_batch(FULL_BATCH, 0.5, PLENTY)
        clock.advance(0.5)

    assert calls == ["GetQueueAttributes", "UpdateItem", "UpdateItem"] * 2


def test_fc_45_a_gateway_with_a_queue_of_its_own_is_measured_there(
    warm: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = warm.sqs.create_queue(QueueName="payments-standby")["QueueUrl"]
    own = Queue(warm.sqs, url)
    monkeypatch.setitem(warm.__dict__, "_gateway_queues", {"standby": own})
    fill(warm, 2)
    own.send_many([{"n": n} for n in range(5)])

    warm.backlog_meter.after_batch(FULL_BATCH, 2.0, PLENTY)

    found = {name: warm.limits.backlog(name) for name in ("simulator", "standby")}
    assert {name: backlog and backlog.visible for name, backlog in found.items()} == {
        "simulator": 2,
        "standby": 5,
    }


def test_a_new_environment_and_a_batch_that_found_the_end_of_the_queue_measure_nothing(
    app: App, clock: FakeClock, calls: list[str]
) -> None:
    app.backlog_meter.after_batch(FULL_BATCH, 2.0, PLENTY)
    clock.advance(MEASURE_EVERY_SECONDS)
    app.backlog_meter.after_batch(FULL_BATCH - 1, 2.0, PLENTY)

    assert calls == []


def test_close_to_the_functions_deadline_nothing_is_measured(warm: App, calls: list[str]) -> None:
    assert LONGEST_MEASURE_SECONDS > 2 * READ_TIMEOUT_SECONDS * MAX_ATTEMPTS

    warm.backlog_meter.after_batch(FULL_BATCH, 2.0, LONGEST_MEASURE_SECONDS)

    assert calls == []


def test_the_time_of_a_step_follows_the_batches_slowly(warm: App) -> None:
    warm.backlog_meter.after_batch(FULL_BATCH, 7.0, PLENTY)

    found = measured(warm)
    assert found is not None
    assert found.step_ms == 3_000, "2 s, and a fifth of the 5 s more"


@pytest.mark.parametrize("error", FAILURES, ids=str)
@pytest.mark.parametrize("operation", ["dynamodb.UpdateItem", "sqs.GetQueueAttributes"])
def test_measuring_fails_for_nobody_and_rests_after_a_failure(
    warm: App, clock: FakeClock, calls: list[str], operation: str, error: Exception
) -> None:
    fail(warm.sqs if operation.startswith("sqs") else warm.dynamodb, operation, error)
    for _ in range(10):
        warm.backlog_meter.after_batch(FULL_BATCH, 1.0, PLENTY)
        clock.advance(MEASURE_EVERY_SECONDS)
    failed = operation.split(".")[1]
    assert calls.count(failed) == 1

    clock.advance(MEASURE_AGAIN_SECONDS)
    warm.backlog_meter.after_batch(FULL_BATCH, 1.0, PLENTY)

    assert calls.count(failed) == 2


def test_an_empty_batch_is_none(app: App) -> None:
    app.backlog_meter.after_batch(0, 60.0, PLENTY)
    app.backlog_meter.after_batch(1, 2.0, PLENTY)

    assert app.backlog_meter._batch_seconds == 2.0


def test_both_sides_agree_on_the_figure(warm: App, clock: FakeClock) -> None:
    api = make_app(clock=clock, max_backlog_seconds=3, payments_parallel=10)
    fill(warm, 30)
    warm.backlog_meter.after_batch(FULL_BATCH, 2.0, PLENTY)

    with pytest.raises(GatewayBusyError) as refusal:
        require_room(api, "simulator")

    assert refusal.value.retry_after_seconds == 3, "30 messages of 2 s, 10 side by side: 6 s"


def test_the_processor_measures_after_its_batches(
    app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("payments_table", "outbox_table", "limits_table", "payments_queue_url")
    settings = {f"RIEL_{name.upper()}": getattr(app.config, name) for name in names}
    settings["RIEL_ROUTES"] = app.config.routes
    handler, module = load_handler("processor", settings, monkeypatch)
    module._app.clock = clock
    (record,) = json.loads(EVENT.read_text())["Records"]
    batch = {"Records": [{**record, "messageId": f"m{n}"} for n in range(FULL_BATCH)]}
    context = Context()
    context.remaining_ms = 60_000
    fill(app, 7)

    handler(batch, context)
    young = measured(app)
    clock.advance(MEASURE_EVERY_SECONDS)
    answer = handler(batch, context)

    found = measured(app)
    assert young is None
    assert answer == {"batchItemFailures": []}
    assert found is not None
    assert found.visible == 7
