"""Workers that race for one payment, on the engine: the model has no real races."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from infra.local.aws import Aws
from riel import ids
from riel.app import App
from riel.domain.events import payment_moved
from riel.domain.payment import Applied, Change, Method, Payment, Status, apply
from riel.errors import LeaseLostError
from riel.gateways.base import ChargeRequest, Outcome
from riel.services.process_payment import GiveBackError, Step, process_payment
from tests.builders import NOON, FakeClock, FakeGateway, create_tables, make_app, store_payment

PREFIX = "gateway-races-"
WORKERS = 8
ROUNDS = 5
TABLES = ("payments", "outbox", "merchants", "idempotency", "limits", "simulator")


@pytest.fixture
def racing(engine_aws: Aws, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Iterator[App]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine_aws.endpoint)
    create_tables(engine_aws.dynamodb, PREFIX)
    names = {f"{name}_table": PREFIX + name for name in TABLES if name != "simulator"}
    yield make_app(None, clock, **names)
    for name in TABLES:
        engine_aws.dynamodb.delete_table(TableName=PREFIX + name)


def use(app: App, gateway: FakeGateway) -> None:
    app.__dict__["gateways"] = {"simulator": gateway}


def all_at_once(*works: Callable[[], Any]) -> list[Any]:
    """Start all works at one moment; what they raise is their result."""
    start = Barrier(len(works))

    def one(work: Callable[[], Any]) -> Any:
        start.wait(60)
        try:
            return work()
        except (GiveBackError, LeaseLostError) as error:
            return type(error)

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(one, works))


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def completions(app: App, payment: Payment) -> int:
    return sum(line.status == Status.COMPLETED for line in stored(app, payment).history)


def events(app: App, payment: Payment) -> Counter[str]:
    items = app.dynamodb.scan(TableName=PREFIX + "outbox")["Items"]
    mine = [item for item in items if item["payment_id"]["S"] == payment.payment_id]
    return Counter(item["type"]["S"] for item in mine)


class Patient(FakeGateway):
    """Keeps the first charge until all other workers have had their turn."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.turns = Barrier(others + 1)

    def charge(self, request: ChargeRequest) -> Outcome:
        self.turns.wait(60)
        return super().charge(request)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fc_37_of_many_copies_at_once_one_charges_and_the_others_give_back(
    racing: App, round_: int
) -> None:
    gateway = Patient(WORKERS - 1)
    use(racing, gateway)
    payment = store_payment(racing, idempotency_key=f"copies-{round_}")

    def work() -> str:
        try:
            return process_payment(racing, Step(payment.payment_id), receives=1)
        except GiveBackError:
            gateway.turns.wait(60)
            raise

    done = all_at_once(*[work] * WORKERS)

    assert sorted(map(str, done)) == sorted(["completed", *[str(GiveBackError)] * (WORKERS - 1)])
    assert len(gateway.sent) == 1
    assert events(racing, payment) == {"payment.created": 1, "payment.completed": 1}


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fc_36_workers_whose_leases_ran_out_write_one_result_between_them(
    racing: App, clock: FakeClock, round_: int
) -> None:
    class Sleepy(FakeGateway):
        """Its answers take so long that every lease is over before one comes."""

        def __init__(self) -> None:
            super().__init__()
            self.lock = Lock()
            self.asked = 0
            self.all_in = Barrier(WORKERS)

        def charge(self, request: ChargeRequest) -> Outcome:
            with self.lock:
                outcome = super().charge(request)
            self.wait()
            return outcome

        def look_up(self, key: str) -> Any:
            found = super().look_up(key)
            self.wait()
            return found

        def wait(self) -> None:
            with self.lock:
                self.asked += 1
                clock.advance(60)
            self.all_in.wait(60)

    gateway = Sleepy()
    use(racing, gateway)
    payment = store_payment(racing, idempotency_key=f"leases-{round_}")

    def work() -> str:
        while True:
            try:
                return process_payment(racing, Step(payment.payment_id), receives=1)
            except GiveBackError:
                continue

    done = all_at_once(*[work] * WORKERS)

    assert Counter(map(str, done)) == {"completed": 1, str(LeaseLostError): WORKERS - 1}
    assert gateway.asked == WORKERS
    assert len(gateway.charges) == 1
    assert completions(racing, payment) == 1
    assert events(racing, payment) == {"payment.created": 1, "payment.completed": 1}


def cancel(app: App, payment: Payment) -> bool:
    """The API's one conditional write."""
    seen = stored(app, payment)
    applied = apply(seen, Change(Status.CANCELED, NOON, "canceled_by_merchant"))
    if not isinstance(applied, Applied):
        return False
    event_id = ids.event_id(payment.payment_id, applied.payment.sequence)
    return app.payments.move(seen, applied.payment, payment_moved(event_id, applied.payment))


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fc_41_a_cancel_that_races_the_claim_has_one_winner(racing: App, round_: int) -> None:
    gateway = FakeGateway()
    use(racing, gateway)
    payment = store_payment(racing, idempotency_key=f"cancel-{round_}")

    done, is_canceled = all_at_once(
        lambda: process_payment(racing, Step(payment.payment_id), receives=1),
        lambda: cancel(racing, payment),
    )

    after = stored(racing, payment)
    assert is_canceled is (after.status == Status.CANCELED)
    assert done == ("nothing to do: canceled" if is_canceled else "completed")
    assert len(gateway.charges) == (0 if is_canceled else 1)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_fc_41_a_cancel_that_races_the_payer_ends_canceled_or_paid_and_money_is_never_kept(
    racing: App, round_: int
) -> None:
    gateway = FakeGateway()
    use(racing, gateway)
    payment = store_payment(racing, idempotency_key=f"payer-{round_}", method=Method.OXXO)
    process_payment(racing, Step(payment.payment_id), receives=1)
    gateway.pay(payment.payment_id, payment.amount.minor)
    look = Step(payment.payment_id, look=True)

    *_, is_canceled = all_at_once(
        *[lambda: process_payment(racing, look, receives=1)] * 3, lambda: cancel(racing, payment)
    )
    process_payment(racing, Step(payment.payment_id), receives=1)  # the canceled event's step

    after = stored(racing, payment)
    told = events(racing, payment)
    assert after.status == Status.COMPLETED
    assert completions(racing, payment) == 1
    assert told["payment.completed"] == 1
    assert told["refund.created"] == (1 if is_canceled else 0)
    assert after.reserved_minor == (payment.amount.minor if is_canceled else 0)


def test_deposits_seen_by_many_lookers_at_once_are_counted_as_the_psp_counts_them(
    racing: App,
) -> None:
    gateway = FakeGateway()
    use(racing, gateway)
    payment = store_payment(racing, idempotency_key="deposits", method=Method.SPEI)
    process_payment(racing, Step(payment.payment_id), receives=1)
    lock = Lock()

    def deposit_and_look() -> str:
        with lock:
            gateway.pay(payment.payment_id, 1_000)
        return process_payment(racing, Step(payment.payment_id, look=True), receives=1)

    all_at_once(*[deposit_and_look] * WORKERS)
    process_payment(racing, Step(payment.payment_id, look=True), receives=1)

    assert stored(racing, payment).received_minor == WORKERS * 1_000
