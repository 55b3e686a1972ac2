"""Dead letters that are put aside: over the model what is kept, on the engine the commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from riel.app import App
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services import quarantine_dead_letters as service
from riel.services.dead_letters import DeadLetterQueue
from riel.services.quarantine_dead_letters import (
    Quarantined,
    QuarantineOrder,
    quarantine_dead_letters,
    release_letter,
)
from riel.store.queues import Queue
from tests.builders import NOON, FakeClock
from tests.end_to_end.client import Merchant, until
from tests.integration.cli.conftest import Riel

WHY = "the payment was settled by hand"
pytestmark = pytest.mark.usefixtures("no_dead_letters")


@pytest.fixture
def source(app: App) -> DeadLetterQueue:
    url = app.sqs.create_queue(QueueName="payments-dlq")["QueueUrl"]
    return DeadLetterQueue("payments", Queue(app.sqs, url))


def die(source: DeadLetterQueue, *payment_ids: str) -> None:
    for payment_id in payment_ids:
        source.queue.send({"payment_id": payment_id, "traceparent": ""})


def put_aside(app: App, source: DeadLetterQueue, **order: Any) -> Quarantined:
    return quarantine_dead_letters(app, source, QuarantineOrder("ana", WHY, **order))


def bodies(queue: Queue) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in queue.receive(30)]


def test_a_letter_put_aside_is_kept_whole_with_who_and_why(
    app: App, source: DeadLetterQueue
) -> None:
    die(source, "pay_1")

    assert len(put_aside(app, source).letters) == 1

    assert source.queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 0}
    (kept,) = app.quarantine.of_queue("payments")
    assert json.loads(kept.body) == {"payment_id": "pay_1", "traceparent": ""}
    assert (kept.by, kept.reason, kept.at) == ("ana", WHY, NOON)
    assert (kept.payment_ids, kept.cause) == (("pay_1",), "the payment does not exist")


def test_only_the_letters_that_are_meant_go(app: App, source: DeadLetterQueue) -> None:
    die(source, "pay_1", "pay_2", "pay_2", "pay_3")

    assert len(put_aside(app, source, payment_id="pay_2").letters) == 2
    (first, _) = source.queue.receive(0)
    assert len(put_aside(app, source, message_id=first.message_id).letters) == 1
    assert put_aside(app, source, payment_id="pay_9") == Quarantined()

    assert source.queue.depth() == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert len(app.quarantine.of_queue("payments")) == 3
    assert app.quarantine.of_queue("webhooks") == []


def test_a_dry_run_moves_nothing(app: App, source: DeadLetterQueue) -> None:
    die(source, "pay_1")

    assert len(put_aside(app, source, dry_run=True).letters) == 1

    assert source.queue.depth()["visible"] == 1
    assert app.quarantine.of_queue("payments") == []


def test_a_run_that_was_cut_off_between_write_and_delete_can_be_repeated(
    app: App, source: DeadLetterQueue, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(source, "pay_1")

    def cut_off(_receipt: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(source.queue, "delete", cut_off)
        with pytest.raises(KeyboardInterrupt):
            put_aside(app, source)
    assert source.queue.depth()["visible"] == 1
    clock.advance(60)

    assert len(put_aside(app, source).letters) == 1

    (kept,) = app.quarantine.of_queue("payments")
    assert kept.at == NOON, "the first time counts"
    assert source.queue.depth()["visible"] == 0


def test_a_letter_that_is_too_large_to_be_kept_is_left(
    app: App, source: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_BODY_BYTES", 40)
    die(source, "pay_with_a_rather_long_name", "p")

    done = put_aside(app, source)

    assert [letter.payment_ids for letter in done.letters] == [("p",)]
    assert [reason for _, reason in done.left] == ["too large to be kept"]
    assert source.queue.depth()["visible"] == 1


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_without_a_reason_nothing_is_put_aside(
    app: App, source: DeadLetterQueue, reason: str
) -> None:
    die(source, "pay_1")

    with pytest.raises(InvalidRequestError):
        quarantine_dead_letters(app, source, QuarantineOrder("ana", reason))
    assert source.queue.depth()["visible"] == 1


def test_a_letter_is_released_once_and_stays_on_record(
    app: App, source: DeadLetterQueue, clock: FakeClock
) -> None:
    die(source, "pay_1")
    (letter,) = put_aside(app, source).letters
    clock.advance(60)

    release_letter(app, source, letter.message_id, "ben")

    assert [body["payment_id"] for body in bodies(app.payments_queue)] == ["pay_1"]
    assert app.quarantine.of_queue("payments") == []
    kept = app.quarantine.get("payments", letter.message_id)
    assert kept is not None
    assert kept.released_at == clock()
    with pytest.raises(NotFoundError):
        release_letter(app, source, letter.message_id, "ben")


def test_a_letter_that_nobody_can_send_stays_in_quarantine(
    app: App, source: DeadLetterQueue
) -> None:
    source.queue.send_text("?")
    (letter,) = put_aside(app, source).letters

    with pytest.raises(InvalidStateError):
        release_letter(app, source, letter.message_id, "ben")

    assert [kept.body for kept in app.quarantine.of_queue("payments")] == ["?"]


def test_a_poisoned_payment_is_put_aside_and_after_all_sent_back(
    riel: Riel, merchant: Merchant, platform: LocalPlatform, engine_aws: Aws
) -> None:
    queue = Queue(engine_aws.queues, platform.state.queues["payments-dlq"])
    payment_id = merchant.create("tok_poison")
    until(queue.depth, lambda depth: depth["visible"] == 1, 60)

    order = ("dlq", "quarantine", "payments", "--payment", payment_id, "--reason", WHY)
    (message_id,) = riel.json(*order, "--dry-run")["quarantined"]
    assert queue.depth()["visible"] == 1
    assert riel.json(*order)["quarantined"] == [message_id]

    assert queue.depth() == {"visible": 0, "in_flight": 0, "delayed": 0}
    (kept,) = riel.json("dlq", "quarantined", "payments")["data"]
    assert (kept["payment_ids"], kept["reason"]) == ([payment_id], WHY)
    assert kept["cause"].startswith("psp_unmapped_status: ")
    screen = riel("dlq", "quarantined", "payments")
    for words in (message_id, payment_id, "psp_unmapped_status", WHY):
        assert words in screen

    merchant.force(payment_id, "tok_ok")
    assert riel("dlq", "release", "payments", message_id) == f"payments: {message_id} sent back.\n"
    assert merchant.wait_final(payment_id)["status"] == "completed"
    none = "No letters of payments are in quarantine.\n"
    assert riel("dlq", "quarantined", "payments") == none
    riel("dlq", "release", "payments", message_id, code=1)
