"""What becomes of a payment whose answer was lost: looked for, sent again or given to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.payment import Payment, Status
from riel.errors import GatewayUnavailableError, OutcomeUnknownError
from riel.gateways.base import ChargeRequest, NotFound, Outcome
from riel.observability import metrics
from riel.services.process_payment import Step, process_payment
from tests.builders import NOON, FakeClock, FakeGateway, make_app, seed_demo, store_payment
from tests.integration.inbox import counted
from tests.timeline import Timeline

TIMEOUT_SECONDS = 8
AWS_SCHEDULE = (5, 15, 40, 300, 3600)


class Deaf(FakeGateway):
    """Loses the answers of charges, as a timeout does; `charges_anyway` tells whether it charged.

    `look_ups` are the times of the look-ups.
    """

    def __init__(self, clock: FakeClock, *, charges_anyway: bool = False) -> None:
        super().__init__()
        self.clock = clock
        self.charges_anyway = charges_anyway
        self.look_ups: list[float] = []
        self.is_down = False

    def charge(self, request: ChargeRequest) -> Outcome:
        if self.charges_anyway:
            super().charge(request)
        else:
            self.sent.append(request)
        self.clock.advance(TIMEOUT_SECONDS)
        raise OutcomeUnknownError("timeout")

    def look_up(self, key: str) -> Outcome | NotFound:
        if self.is_down:
            raise GatewayUnavailableError("503")
        self.look_ups.append((self.clock() - NOON).total_seconds())
        return super().look_up(key)


@pytest.fixture
def deaf(app: App, clock: FakeClock) -> Deaf:
    gateway = Deaf(clock)
    app.__dict__["gateways"] = {"simulator": gateway}
    return gateway


@pytest.fixture
def timeline(app: App, clock: FakeClock) -> Timeline:
    return Timeline(app, clock)


def stored(app: App, payment: Payment) -> Payment:
    found = app.payments.get(payment.payment_id)
    assert found is not None
    return found


def test_fc_32_what_stays_unknown_goes_to_review_within_the_schedule_and_is_never_guessed(
    app: App, deaf: Deaf, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    metrics.clear_metrics()

    timeline.run(Step(payment.payment_id))

    after = stored(app, payment)
    assert (after.status, after.history[-1].cause) == ("in_review", "outcome_unknown")
    assert counted("PaymentInReview") == 1, "an alarm"
    assert len(deaf.sent) == 2
    assert len({request.key for request in deaf.sent}) == 1, "one key for every resend"
    assert deaf.look_ups, "it was looked for after the last send"
    assert timeline.dead == []
    assert clock() <= NOON + timedelta(seconds=40)


def test_fc_32_a_charge_whose_answer_was_lost_is_found_and_counted_once(
    app: App, deaf: Deaf, timeline: Timeline
) -> None:
    deaf.charges_anyway = True
    payment = store_payment(app)

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).status == Status.COMPLETED
    assert len(deaf.sent) == 1


def test_fc_32_long_waits_stand_in_the_index_and_no_message_is_kept_for_them(
    aws: Any, clock: FakeClock
) -> None:
    app = make_app(Deaf(clock), clock, look_up_seconds=AWS_SCHEDULE)
    seed_demo(app)
    timeline = Timeline(app, clock)
    payment = store_payment(app)
    for _ in range(3):
        timeline.run(Step(payment.payment_id, look=True))
        due_at = stored(app, payment).due_at
        if due_at is None:
            break
        clock.now = due_at

    after = stored(app, payment)
    delays = [delay for _queue, _body, delay in timeline.sent]
    assert after.status == Status.IN_REVIEW
    assert after.due_at is None
    assert max(delays) < 60
    assert clock() >= NOON + timedelta(seconds=sum(AWS_SCHEDULE))


def test_fc_32_repeats_and_events_use_up_nothing_of_the_schedule(
    app: App, deaf: Deaf, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    timeline.run(Step(payment.payment_id), until=clock())
    waiting = stored(app, payment)
    copies = len(timeline.sent)

    for look in (True, False, True, True):
        assert process_payment(app, Step(payment.payment_id, look=look), 1) == "nothing to do yet"

    after = stored(app, payment)
    claimed = replace(waiting, fence=after.fence, quiet_since_ms=after.quiet_since_ms)
    assert after == claimed
    assert len(timeline.sent) == copies, "and no message more"


def test_fc_32_a_gateway_that_is_down_while_a_long_wait_ends_leaves_it_to_the_index(
    aws: Any, clock: FakeClock
) -> None:
    deaf = Deaf(clock)
    app = make_app(deaf, clock, look_up_seconds=(3600,))
    seed_demo(app)
    timeline = Timeline(app, clock)
    payment = store_payment(app)
    timeline.run(Step(payment.payment_id))
    deaf.is_down = True
    clock.advance(3600)
    timeline.run(Step(payment.payment_id, look=True))

    waiting = stored(app, payment)
    assert len(timeline.sent) == 2, "no copies beside the index"
    assert waiting.due_at is not None
    assert waiting.due_at > clock()
    deaf.is_down, deaf.charges_anyway = False, True
    timeline.run(Step(payment.payment_id, look=True))
    clock.advance(3600)
    timeline.run(Step(payment.payment_id, look=True))
    assert stored(app, payment).status == Status.COMPLETED


def test_fc_32_what_a_psp_can_never_tell_is_seen_and_ends_with_a_person(
    aws: Any, clock: FakeClock
) -> None:
    """It answers for others, so no breaker opens, and fails for this one for ever."""
    deaf = Deaf(clock)
    retries = (1, 5, 15, 60, 300)
    app = make_app(deaf, clock, look_up_seconds=AWS_SCHEDULE, gateway_retry_seconds=retries)
    seed_demo(app)
    timeline = Timeline(app, clock)
    payment = store_payment(app)
    timeline.run(Step(payment.payment_id))
    deaf.is_down = True
    metrics.clear_metrics()
    timeline.run(Step(payment.payment_id, look=True))
    assert "PaymentStepDeferred" in metrics.metric_set
    metrics.clear_metrics()

    while (due_at := stored(app, payment).due_at) is not None:
        clock.now = max(clock.now, due_at)
        app.breakers.of("simulator").succeeded()
        timeline.run(Step(payment.payment_id, look=True))

    after = stored(app, payment)
    assert (after.status, after.history[-1].cause) == (Status.IN_REVIEW, "outcome_unknown")
    assert clock() - NOON < timedelta(days=1, hours=3)
    metrics.clear_metrics()


def test_fc_35_redriven_after_the_psp_forgot_the_key_it_is_looked_up_and_not_sent_again(
    app: App, deaf: Deaf, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    app.payments.claim(payment.payment_id, clock(), timedelta(seconds=20))
    clock.advance(deaf.capabilities.key_life_seconds + 3600)

    timeline.run(Step(payment.payment_id))

    after = stored(app, payment)
    assert (after.status, after.history[-1].cause) == ("in_review", "idempotency_window_passed")
    assert deaf.sent == []
    assert len(deaf.look_ups) == 1


def test_fc_35_redriven_late_a_charge_that_exists_is_adopted(
    app: App, gateway: FakeGateway, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    gateway.after = [OutcomeUnknownError("timeout")]
    process_payment(app, Step(payment.payment_id), receives=1)
    clock.advance(2 * gateway.capabilities.key_life_seconds)

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).status == Status.COMPLETED
    assert len(gateway.sent) == 1


def test_a_payment_that_was_never_sent_is_charged_however_old_it_is(
    app: App, gateway: FakeGateway, timeline: Timeline, clock: FakeClock
) -> None:
    payment = store_payment(app)
    gateway.before = [GatewayUnavailableError("503")]
    process_payment(app, Step(payment.payment_id), receives=1)
    clock.advance(2 * gateway.capabilities.key_life_seconds)

    timeline.run(Step(payment.payment_id))

    assert stored(app, payment).status == Status.COMPLETED


def test_proof_that_comes_after_the_review_began_ends_it(
    app: App, deaf: Deaf, timeline: Timeline
) -> None:
    payment = store_payment(app)
    timeline.run(Step(payment.payment_id))
    FakeGateway.charge(deaf, deaf.sent[0])

    without = process_payment(app, Step(payment.payment_id), receives=1)
    with_look = process_payment(app, Step(payment.payment_id, look=True), receives=1)

    assert without == "nothing to do: in_review"
    assert with_look == "completed"
