"""Requests that race for one payment's money, on the engine: the model has no real races."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from infra.local.aws import Aws
from riel.app import App
from riel.clock import utc_now
from riel.domain.payment import Attention, Status
from riel.errors import ConflictError, StoreUnavailableError
from riel.services.authenticate import authenticate
from riel.services.cancel_payment import cancel_payment
from riel.services.create_refund import RefundOrder, create_refund, refund_late_payment
from tests.builders import API_KEY, create_tables, make_app, seed_demo
from tests.payments import advance, store_awaiting, store_completed

PREFIX = "refund-races-"
AT_ONCE = 8


@pytest.fixture(scope="module")
def tables(engine_aws: Aws) -> Iterator[dict[str, Any]]:
    create_tables(engine_aws.dynamodb, PREFIX)
    names = ("payments", "outbox", "merchants", "idempotency", "limits")
    yield {f"{name}_table": PREFIX + name for name in names}
    for name in (*names, "simulator"):
        engine_aws.dynamodb.delete_table(TableName=PREFIX + name)


@pytest.fixture
def stage(engine_aws: Aws, tables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> App:
    """An app over the engine's tables; each environment of a race makes its own with `again`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    app = again(tables)
    seed_demo(app)
    return app


def again(tables: dict[str, Any]) -> App:
    app = make_app(**tables)
    app.clock = utc_now
    return app


def test_fc_42_of_refunds_at_once_only_what_is_there_is_given_back(
    stage: App, tables: dict[str, Any]
) -> None:
    """Eight environments ask for 30.00 of 100.50 each, under keys of their own."""
    payment = store_completed(stage, idempotency_key="fc-42")
    together = Barrier(AT_ONCE, timeout=60)

    def ask(n: int) -> str:
        app = again(tables)
        caller = authenticate(app, API_KEY)
        order = RefundOrder("30.00", sent=frozenset({"amount"}))
        together.wait()
        while True:
            try:
                done = create_refund(app, caller, f"r-{n}", payment.payment_id, order, "req")
            except StoreUnavailableError:
                continue  # contended: as a merchant would, with the same key
            return done.refusal.code if done.refusal else "accepted"

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = Counter(threads.map(ask, range(AT_ONCE)))

    assert answers == {"accepted": 3, "refund_exceeds_available": AT_ONCE - 3}
    found = stage.payments.get(payment.payment_id)
    assert found is not None
    assert (found.reserved_minor, found.refund_count) == (9_000, 3)
    assert len(stage.refunds.of_payment(payment.payment_id)) == 3


def test_one_key_at_once_makes_one_refund(stage: App, tables: dict[str, Any]) -> None:
    payment = store_completed(stage, idempotency_key="one-key")
    together = Barrier(AT_ONCE, timeout=60)

    def ask(_: int) -> str:
        app = again(tables)
        caller = authenticate(app, API_KEY)
        together.wait()
        try:
            done = create_refund(app, caller, "r", payment.payment_id, RefundOrder(), "req")
        except (ConflictError, StoreUnavailableError) as error:
            return error.code
        return str(done.answer["refund_id"])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = set(threads.map(ask, range(AT_ONCE)))

    (refund,) = stage.refunds.of_payment(payment.payment_id)
    assert refund.refund_id in answers
    assert answers <= {refund.refund_id, "idempotency_key_in_use", "store_unavailable"}


def test_late_money_goes_back_once_however_many_workers_see_it(
    stage: App, tables: dict[str, Any]
) -> None:
    canceled = advance(stage, store_awaiting(stage, idempotency_key="late"), Status.CANCELED)
    attention = Attention.LATE_PAYMENT
    paid = advance(stage, canceled, Status.COMPLETED, received_minor=10_050, attention=attention)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda _: refund_late_payment(again(tables), paid), range(AT_ONCE)))

    (refund,) = stage.refunds.of_payment(paid.payment_id)
    assert refund.amount.minor == 10_050


@pytest.mark.parametrize("round_", range(3))
def test_short_money_of_a_canceled_payment_goes_back_once_whoever_asks(
    stage: App, tables: dict[str, Any], round_: int
) -> None:
    """Workers, some of which know of the first part alone, and the merchant, all at once."""
    key = f"short-{round_}"
    waiting = store_awaiting(stage, idempotency_key=key)
    first = advance(stage, waiting, Status.CANCELED, received_minor=4_000)
    both = replace(first, received_minor=7_000)
    assert stage.payments.note(first, both)
    together = Barrier(AT_ONCE, timeout=60)

    def ask(n: int) -> None:
        app = again(tables)
        caller = authenticate(app, API_KEY)
        together.wait()
        if n % 2:
            refund_late_payment(app, (first, both)[n // 2 % 2])
        else:
            create_refund(app, caller, f"r-{n}", first.payment_id, RefundOrder(), "req")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        asked = [threads.submit(ask, n) for n in range(AT_ONCE)]
    failed = [one.exception() for one in asked if one.exception()]

    assert {type(error) for error in failed} <= {StoreUnavailableError}, "contended, at the most"
    assert sum(one.amount.minor for one in stage.refunds.of_payment(first.payment_id)) == 7_000
    found = stage.payments.get(first.payment_id)
    assert found is not None
    assert found.reserved_minor == 7_000


@pytest.mark.parametrize("round_", range(10))
def test_fc_41_a_cancellation_and_a_payer_have_one_winner(
    stage: App, tables: dict[str, Any], round_: int
) -> None:
    waiting = store_awaiting(stage, idempotency_key=f"fc-41-{round_}")
    together = Barrier(2, timeout=60)

    def cancel() -> str:
        app = again(tables)
        caller = authenticate(app, API_KEY)
        together.wait()
        done = cancel_payment(app, caller, "c", waiting.payment_id, "req")
        return done.refusal or done.status

    def pay() -> bool:
        app = again(tables)
        together.wait()
        try:
            advance(app, waiting, Status.COMPLETED, received_minor=10_050)
        except AssertionError:
            return False  # the write came too late
        return True

    with ThreadPoolExecutor(2) as threads:
        canceled, paid = threads.submit(cancel), threads.submit(pay)
        answer, was_paid = canceled.result(), paid.result()

    found = stage.payments.get(waiting.payment_id)
    assert found is not None
    assert found.sequence == 4, "one transition, not two"
    assert found.status == (Status.COMPLETED if was_paid else Status.CANCELED)
    assert answer.startswith("the payment is completed;") if was_paid else answer == "canceled"
