"""Scenarios: each does what its name says when nothing breaks, and then holds every invariant."""

from __future__ import annotations

import pytest

from infra.simulation.deployment import Deployment
from infra.simulation.faults import Chosen, Fault, NoFaults, Plan, Target
from infra.simulation.plays import Play, Scenario, Scene, told_once
from infra.simulation.runs import Run, liveness_seconds, run
from infra.simulation.scenarios import MIXED, SCENARIOS
from infra.simulation.scenarios.mixed import STORIES

PAID = "pending processing completed"
FAILED = "pending processing failed"
REVIEWED = "pending processing in_review"
WAITING = "pending processing awaiting_payment"
ENDS = {
    "card-completed": PAID,
    "card-declined": FAILED,
    "card-softly-declined": PAID,
    "card-declined-in-the-end": FAILED,
    "card-slow": PAID,
    "card-unavailable": PAID,
    "card-fallback": PAID,
    "card-silent-then-down": PAID,
    "card-error-then-charge": PAID,
    "card-timeout-after-charge": PAID,
    "card-timeout-before-charge": REVIEWED,
    "card-wrong-amount": REVIEWED,
    "card-wrong-reference": REVIEWED,
    "card-poisoned": "pending processing",
    "card-twice-at-once": PAID,
    "card-same-key-other-body": PAID,
    "card-same-key-after-days": f"{PAID}, {PAID}",
    "card-same-reference": f"{PAID}, {FAILED}",
    "card-canceled-twice": "pending canceled",
    "card-cancel-races-charge": "pending canceled",
    "voucher-paid": f"{WAITING} completed",
    "voucher-transferred": f"{WAITING} completed",
    "voucher-paid-in-parts": f"{WAITING} completed",
    "voucher-paid-twice": f"{WAITING} completed",
    "voucher-never-paid": f"{WAITING} expired",
    "voucher-paid-short": f"{WAITING} expired",
    "voucher-paid-late": f"{WAITING} expired completed",
    "voucher-paid-at-the-end": f"{WAITING} completed",
    "voucher-canceled": f"{WAITING} canceled",
    "voucher-cancel-races-payer": f"{WAITING} canceled completed, {PAID}",
    "voucher-canceled-after-a-part": f"{WAITING} canceled, {PAID}",
    "voucher-left-open": WAITING,
    "refund-completed": f"{PAID}, {PAID}",
    "refund-in-parts-at-once": f"{PAID}, {PAID}",
    "refund-twice": f"{PAID}, {PAID}, {PAID}",
    "refund-same-key-at-once": f"{PAID}, {PAID}",
    "refund-timeout": f"{PAID}, {PAID}",
    "refund-declined": f"{PAID}, {FAILED}",
    "refund-wrong-amount": f"{PAID}, {REVIEWED}",
    "webhook-fails-first": PAID,
    "webhook-hangs-first": PAID,
    "webhook-slow": PAID,
    "webhook-gone": PAID,
    "webhook-down-for-good": PAID,
    "webhook-hangs-for-good": PAID,
    "webhook-hosts-hang": f"{PAID}, {PAID}, {PAID}",
    "webhook-redelivered": PAID,
    "webhook-not-wanted": PAID,
    "merchants-side-by-side": f"{PAID}, {PAID}",
    "sweeper-alone": PAID,
    "events-lost": f"{WAITING} expired, {PAID}, {PAID}, {PAID}",
    "outbox-replayed": PAID,
    "event-forged": WAITING,
    "event-lies": WAITING,
    "event-repeated": PAID,
    "event-too-early": PAID,
    "event-foreign": PAID,
    "event-unmatched": "",
}
"""What each scenario's payments and refunds go through, in the world of seed 1."""


def test_every_scenario_is_named_here() -> None:
    assert SCENARIOS.keys() == ENDS.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_without_faults_ends_as_it_says(deployment: Deployment, name: str) -> None:
    done = run(deployment, SCENARIOS[name], 1, is_strict=True)

    assert done.violations == []
    assert _histories(done) == ENDS[name]
    assert bool(done.dead_letters) == SCENARIOS[name].leaves_letters


@pytest.mark.parametrize("name", ["card-poisoned", "card-wrong-amount", "refund-wrong-amount"])
def test_an_operator_ends_what_waits_for_a_person(deployment: Deployment, name: str) -> None:
    done = run(deployment, SCENARIOS[name], 1)

    assert done.violations == []
    assert done.dead_letters + done.reviews == 1
    assert all(part.endswith("completed") for part in _histories(done).split(", "))


def test_webhooks_that_were_given_up_arrive_when_their_endpoint_is_mended(
    deployment: Deployment,
) -> None:
    done = run(deployment, SCENARIOS["webhook-down-for-good"], 1)

    assert done.violations == []
    assert done.dead_letters == 1
    assert done.told[-1][1].endswith("delivered")


def test_a_gateway_that_is_down_is_left_for_the_standby(deployment: Deployment) -> None:
    done = run(deployment, SCENARIOS["card-fallback"], 1)

    subjects = [line.call.subject for line in done.passed if line.call.target == Target.SQS]
    assert "riel-local-payments-standby" in subjects
    assert done.told[-1][1].startswith("payment.completed")


def test_a_stream_that_forgot_everything_is_made_good_by_the_sweeper_alone(
    deployment: Deployment,
) -> None:
    done = run(deployment, SCENARIOS["sweeper-alone"], 1)

    assert not [line for line in done.passed if line.call.target == Target.CHECKPOINT]
    assert done.virtual_seconds < liveness_seconds(deployment)


def test_every_story_of_the_workload_is_told_in_some_run(deployment: Deployment) -> None:
    told: set[str] = set()

    def noting(play: Play) -> None:
        for story, _ in STORIES:
            told.add(story.__name__)
            play.begin(story, 0, story.__name__)

    done = run(deployment, Scenario("all", noting, leaves_letters=True), 1)

    assert done.violations == []
    assert done.payments >= len(told) - 1
    assert done.gave_up == 0


def test_a_run_with_a_payment_less_leaves_the_others_as_they_were(deployment: Deployment) -> None:
    whole = run(deployment, MIXED, 7, payments=(0, 1, 2))
    less = run(deployment, MIXED, 7, payments=(0, 2))

    def first_calls(done: Run, name: str) -> list[str]:
        return [line.call.subject for line in done.passed if line.call.name == f"{name}.1"]

    assert first_calls(whole, "p1")
    assert not first_calls(less, "p1")
    for name in ("p0", "p2"):
        assert first_calls(whole, name) == first_calls(less, name)


def test_one_dead_letter_breaks_a_strict_run(deployment: Deployment) -> None:
    poisoned = Scenario("poisoned", SCENARIOS["card-poisoned"].play, leaves_letters=False)

    done = run(deployment, poisoned, 1, is_strict=True)

    assert [violation.name for violation in done.violations] == ["no dead letter after one fault"]


def test_what_moves_for_ever_breaks_liveness(deployment: Deployment) -> None:
    def unheard(play: Play) -> None:
        # A message that nobody may receive before a day is over.
        queue = play.world.deployment.named("payments")
        play.world.sqs.send(queue, '{"payment_id": "pay_x"}', 86_400)

    done = run(deployment, Scenario("unheard", unheard), 1)

    assert [violation.name for violation in done.violations] == ["liveness"]
    assert done.violations[0].text.startswith("still moving: riel-local-payments: 1")


def test_an_actor_that_breaks_breaks_the_run(deployment: Deployment) -> None:
    def broken(_scene: Scene) -> None:
        raise RuntimeError("of the simulator")

    done = run(deployment, told_once("broken", broken), 1)

    assert [violation.name for violation in done.violations] == ["the simulator works"]


def test_a_model_that_breaks_breaks_the_run_though_the_product_bears_it(
    deployment: Deployment,
) -> None:
    def broken(play: Play) -> None:
        def call(operation: str, request: object) -> dict[str, object]:
            raise NotImplementedError(f"{operation} of {request}")

        play.shop(0)
        play.world.dynamodb.call = call  # type: ignore[method-assign]
        SCENARIOS["card-completed"].play(play)

    done = run(deployment, Scenario("broken", broken), 1)

    assert done.violations[-1].name == "the simulator works"


@pytest.mark.parametrize(
    ("fault", "plan"),
    [
        (None, NoFaults()),
        (Fault.LOST, Chosen({"p0.1": Fault.LOST})),
        (Fault.REFUSED, Chosen({"p0.1": Fault.REFUSED})),
        (Fault.DUPLICATED, Chosen({"p0.1": Fault.DUPLICATED})),
        (Fault.LATE, Chosen({"p0.1": Fault.LATE})),
    ],
)
def test_a_client_whose_request_fails_has_its_payment_once(
    deployment: Deployment, fault: Fault | None, plan: Plan
) -> None:
    done = run(deployment, SCENARIOS["card-completed"], 1, plan, is_strict=True)

    assert done.violations == []
    assert [kind for _, kind in done.injected] == ([fault] if fault else [])
    assert (done.payments, _histories(done)) == (1, PAID)


def _histories(done: Run) -> str:
    """What payments and then refunds went through, each sorted."""
    found: dict[str, list[str]] = {}
    for _, text in done.told:
        subject, _, status = text.partition(" is ")
        if subject.startswith(("pay_", "re_")):
            found.setdefault(subject, []).append(status)
    of_payments = sorted(" ".join(found[name]) for name in found if name.startswith("pay_"))
    of_refunds = sorted(" ".join(found[name]) for name in found if name.startswith("re_"))
    return ", ".join((*of_payments, *of_refunds))
