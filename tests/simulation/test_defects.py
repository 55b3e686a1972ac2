"""What the simulator has found in the product: each by the faults that showed it."""

from __future__ import annotations

from infra.simulation.deployment import Deployment
from infra.simulation.faults import Chosen, Fault, Target
from infra.simulation.plays import Play, Scenario
from infra.simulation.runs import Run, run
from infra.simulation.scenarios.cards import softly_declined


def test_a_soft_decline_is_not_forgotten_by_who_did_not_hear_that_it_was_written(
    deployment: Deployment,
) -> None:
    """A worker whose write got lost gave its claim back as it had been before the decline."""

    def unheard(play: Play) -> None:
        # An event would bring another worker, who takes the claim over in time.
        play.world.loses_events = True
        play.begin(softly_declined, 0, "p0")

    def tried(faults: dict[str, Fault]) -> Run:
        return run(deployment, Scenario("unheard", unheard), 1, Chosen(faults), is_strict=True)

    _claim, given_back = _updates(tried({}), "processor(evt_")
    faults = {given_back: Fault.LOST_TWICE}
    # The copy that comes meanwhile can not claim either.
    faults[_updates(tried(faults), "processor(pay_")[0]] = Fault.REFUSED

    done = tried(faults)

    assert len(done.injected) == 2
    assert done.violations == []


def _updates(done: Run, worker: str) -> list[str]:
    """Return by name what a worker has updated."""
    return [
        line.call.name
        for line in done.passed
        if line.call.target == Target.DYNAMODB
        and line.call.operation == "UpdateItem"
        and line.call.name.startswith(worker)
        and line.call.subject.startswith("payments pay_")
    ]
