"""Workers whose clocks are wrong by ten minutes: still one charge, and nothing is lost (FC-73)."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from riel.app import App
from riel.domain.payment import Status
from riel.errors import LeaseLostError
from riel.gateways.base import ChargeRequest, Outcome
from riel.services.process_payment import GiveBackError, Step, process_payment
from riel.store.queues import MAX_VISIBILITY_SECONDS
from tests.builders import NOON, FakeClock, FakeGateway, store_payment

TEN_MINUTES = timedelta(minutes=10)


def with_clock(app: App, clock: FakeClock) -> App:
    """Another environment of the processor, on the same tables, queues and gateways."""
    other = App(app.config, clock=clock, random=Random(8))
    other.__dict__["gateways"] = app.gateways
    return other


class Interrupted(FakeGateway):
    """Lets another worker have its turn during the first charge: before it is made, or after."""

    def __init__(self, *, is_charged_first: bool) -> None:
        super().__init__()
        self.is_charged_first = is_charged_first
        self.turn: Any = None

    def charge(self, request: ChargeRequest) -> Outcome:
        turn, self.turn = self.turn, None
        if turn and not self.is_charged_first:
            turn()
        outcome = super().charge(request)
        if turn and self.is_charged_first:
            turn()
        return outcome


@pytest.mark.parametrize("is_charged_first", [True, False])
def test_fc_73_a_worker_whose_clock_is_ahead_takes_over_and_charges_nobody_twice(
    app: App, aws: Any, is_charged_first: bool
) -> None:
    """To its clock the lease of the other, who is in the middle of its call, is long over."""
    gateway = Interrupted(is_charged_first=is_charged_first)
    app.__dict__["gateways"] = {"simulator": gateway}
    ahead = with_clock(app, FakeClock(NOON + TEN_MINUTES))
    payment = store_payment(app)
    done: list[str] = []
    gateway.turn = lambda: done.append(process_payment(ahead, Step(payment.payment_id), 1))

    with pytest.raises(LeaseLostError):
        process_payment(app, Step(payment.payment_id), receives=1)

    after = app.payments.get(payment.payment_id)
    assert after is not None
    assert done == ["completed"]
    assert len(gateway.charges) == 1
    assert len({request.key for request in gateway.sent}) == 1, "what was sent twice is one charge"
    assert [line.sequence for line in after.history] == [1, 2, 3]
    types = sorted(item["type"]["S"] for item in aws.scan(TableName="outbox")["Items"])
    assert types == ["payment.completed", "payment.created"]


@pytest.mark.parametrize("behind", [TEN_MINUTES, timedelta(hours=2)])
def test_fc_73_a_worker_whose_clock_is_behind_gives_back_and_loses_nothing(
    app: App, clock: FakeClock, gateway: FakeGateway, behind: timedelta
) -> None:
    """To its clock the lease of a worker that died lasts for that much longer."""
    late = with_clock(app, FakeClock(NOON - behind))
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))

    with pytest.raises(GiveBackError) as given_back:
        process_payment(late, Step(payment.payment_id), receives=1)
    at_last = process_payment(late, Step(payment.payment_id), app.config.payments_max_receives)
    clock.advance(21 + gateway.capabilities.longest_request_seconds)
    done = process_payment(app, Step(payment.payment_id), receives=1)

    assert 0 < given_back.value.seconds <= MAX_VISIBILITY_SECONDS
    assert at_last.startswith("held by another worker, a copy comes in")
    assert done == "completed"
    assert len(gateway.charges) == 1


def test_fc_73_the_sequence_tells_the_order_where_the_clocks_do_not(
    app: App, gateway: FakeGateway
) -> None:
    payment = store_payment(app)
    behind = with_clock(app, FakeClock(NOON - TEN_MINUTES))

    process_payment(behind, Step(payment.payment_id), receives=1)

    after = app.payments.get(payment.payment_id)
    assert after is not None
    assert after.history[-1].at < after.history[0].at
    assert [(line.sequence, line.status) for line in after.history] == [
        (1, Status.PENDING),
        (2, Status.PROCESSING),
        (3, Status.COMPLETED),
    ]
