"""A gateway that is down: deferred, kept off by the breaker, fallen back from, never given up."""

from __future__ import annotations

from typing import Any

import pytest

from riel.app import App
from riel.domain.payment import Payment, Status
from riel.errors import GatewayUnavailableError, OutcomeUnknownError
from riel.gateways.base import ChargeRequest, NotFound, Outcome
from riel.services.process_payment import Step, process_payment
from tests.builders import FakeClock, FakeGateway, make_app, seed_demo, store_payment
from tests.timeline import Timeline


class Down(FakeGateway):
    """Refuses charges until a moment of the clock; `called` counts what reached it."""

    def __init__(self, clock: FakeClock, name: str = "simulator", seconds: float = 0) -> None:
        super().__init__(name)
        self.clock = clock
        self.up_at = clock().timestamp() + seconds
        self.called = 0

    def charge(self, request: ChargeRequest) -> Outcome:
        self.called += 1
        if self.clock().timestamp() < self.up_at:
            raise GatewayUnavailableError("503")
        return super().charge(request)


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def stage(aws: Any, clock: FakeClock, *gateways: FakeGateway, **config: Any) -> Timeline:
    app = make_app(None, clock, **config)
    app.__dict__["gateways"] = {gateway.name: gateway for gateway in gateways}
    seed_demo(app)
    return Timeline(app, clock)


def test_fc_33_an_unavailable_gateway_defers_with_growing_waits_and_uses_up_no_receives(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Down(clock, seconds=30)
    timeline = stage(aws, clock, gateway, routes="card=simulator", breaker_failures=99)
    payment = store_payment(timeline.app)

    timeline.run(Step(payment.payment_id))

    waits = [body["waits"] for _queue, body, _delay in timeline.sent[1:]]
    delays = [delay for _queue, _body, delay in timeline.sent[1:]]
    after = stored(timeline.app, payment)
    assert after.status == Status.COMPLETED
    assert after.unknown_outcomes == 0, "nothing was sent, so there was no doubt"
    assert waits == list(range(1, len(waits) + 1))
    assert max(delays) > delays[0]
    assert timeline.dead == []


def test_fc_33_what_was_refused_at_once_does_not_come_again_at_once(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Down(clock, seconds=30)
    waits = (60,)
    timeline = stage(
        aws, clock, gateway, routes="card=simulator", breaker_failures=99,
        gateway_retry_seconds=waits,
    )  # fmt: skip
    for number in range(20):
        payment = store_payment(timeline.app, idempotency_key=f"k{number}")
        process_payment(timeline.app, Step(payment.payment_id), receives=1)

    delays = [delay for _queue, _body, delay in timeline.sent]

    assert len(delays) == 20
    assert 30 <= min(delays) < 45
    assert 75 < max(delays) <= 90


def test_fc_33_nothing_gives_up_on_a_gateway_that_is_down_for_a_day(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Down(clock, seconds=86_400)
    waits = (1, 60, 900)
    timeline = stage(aws, clock, gateway, routes="card=simulator", gateway_retry_seconds=waits)
    payment = store_payment(timeline.app)

    timeline.run(Step(payment.payment_id))

    assert stored(timeline.app, payment).status == Status.COMPLETED
    assert timeline.dead == []


def test_fc_45_an_open_breaker_keeps_steps_off_the_gateway_and_a_probe_closes_it(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Down(clock, seconds=20)
    timeline = stage(
        aws, clock, gateway, routes="card=simulator", breaker_failures=2, breaker_seconds=60
    )
    payments = [store_payment(timeline.app, idempotency_key=f"k{n}") for n in range(8)]

    for payment in payments:
        process_payment(timeline.app, Step(payment.payment_id, gateway="simulator"), receives=1)
    called = gateway.called
    untouched = stored(timeline.app, payments[-1])
    timeline.run()

    assert called == 2
    assert untouched.status == Status.PENDING, "an open breaker saves the claim, too"
    assert {stored(timeline.app, p).status for p in payments} == {Status.COMPLETED}


def test_fc_45_a_breaker_that_opens_between_claim_and_call_leaves_no_doubt(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Down(clock)
    timeline = stage(aws, clock, gateway, routes="card=simulator", breaker_failures=1)
    timeline.app.breakers.of("simulator").failed(clock())
    payment = store_payment(timeline.app)

    done = process_payment(timeline.app, Step(payment.payment_id), receives=1)
    waiting = stored(timeline.app, payment)
    timeline.run()

    assert "breaker" in done
    assert (waiting.status, waiting.unknown_outcomes) == (Status.PROCESSING, 0)
    assert gateway.called == 1
    assert stored(timeline.app, payment).status == Status.COMPLETED


def test_fc_45_each_gateways_steps_stand_in_its_own_queue_and_meet_its_own_breaker(
    aws: Any, clock: FakeClock
) -> None:
    slow, quick = Down(clock, seconds=100), FakeGateway("standby")
    timeline = stage(aws, clock, slow, quick, routes="card=simulator", breaker_failures=1)
    held = store_payment(timeline.app, idempotency_key="held")
    free = store_payment(timeline.app, idempotency_key="free", gateway="standby")

    process_payment(timeline.app, Step(held.payment_id, gateway="simulator"), receives=1)
    done = process_payment(timeline.app, Step(free.payment_id, gateway="standby"), receives=1)
    quick.before = [GatewayUnavailableError("503")]
    later = store_payment(timeline.app, idempotency_key="later", gateway="standby")
    process_payment(timeline.app, Step(later.payment_id, gateway="standby"), receives=1)

    assert done == "completed"
    assert [queue for queue, _body, _delay in timeline.sent] == ["payments", "payments-standby"]


def test_a_payment_falls_back_when_its_gateway_stays_down_and_is_charged_once(
    aws: Any, clock: FakeClock
) -> None:
    first, second = Down(clock, seconds=86_400), FakeGateway("standby")
    timeline = stage(aws, clock, first, second)
    payment = store_payment(timeline.app)

    timeline.run(Step(payment.payment_id, gateway="simulator"))

    after = stored(timeline.app, payment)
    queue, body, _delay = timeline.sent[-1]
    assert (after.status, after.gateway) == (Status.COMPLETED, "standby")
    assert (queue, body["gateway"]) == ("payments-standby", "standby")
    assert len(timeline.sent) == 1 + timeline.app.config.fallback_after_waits + 1
    assert first.charges == {}
    assert len(second.charges) == 1


class Unreachable(FakeGateway):
    """Loses the answer of a charge, and can not be asked what became of it."""

    def look_up(self, key: str) -> Outcome | NotFound:
        raise GatewayUnavailableError("503")


def test_a_payment_in_doubt_never_falls_back(aws: Any, clock: FakeClock) -> None:
    first, second = Unreachable(), FakeGateway("standby")
    timeline = stage(aws, clock, first, second)
    payment = store_payment(timeline.app)
    first.after = [OutcomeUnknownError("timeout")]
    process_payment(timeline.app, Step(payment.payment_id), receives=1)

    done = process_payment(timeline.app, Step(payment.payment_id, waits=9), receives=1)

    assert done.startswith("deferred")
    assert stored(timeline.app, payment).gateway == "simulator"
    assert second.sent == []


def test_a_switched_off_gateway_is_nobodys_fallback(
    aws: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Down(clock, seconds=60), FakeGateway("standby")
    timeline = stage(aws, clock, first, second)
    monkeypatch.setattr(timeline.app.switches, "is_on", lambda name: name != "gateway.standby")
    payment = store_payment(timeline.app)

    timeline.run(Step(payment.payment_id))

    after = stored(timeline.app, payment)
    assert (after.status, after.gateway) == (Status.COMPLETED, "simulator")
    assert second.sent == []


def test_fc_45_what_the_index_brings_to_an_open_breaker_goes_back_there_without_a_copy(
    aws: Any, clock: FakeClock
) -> None:
    gateway = Unreachable()
    timeline = stage(
        aws, clock, gateway, routes="card=simulator", look_up_seconds=(3600,), breaker_failures=1
    )
    gateway.after = [OutcomeUnknownError("timeout")]
    payment = store_payment(timeline.app)
    timeline.run(Step(payment.payment_id))
    clock.advance(3600)
    swept = Step(payment.payment_id, look=True, gateway="simulator")
    for _ in range(3):
        timeline.run(swept)

    waiting = stored(timeline.app, payment)
    assert len(timeline.sent) == 4, "the test's own messages and no other"
    assert waiting.due_at is not None
    assert waiting.due_at > clock()
