"""The models promise no more than AWS does: what may fail, fails in each of its ways."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any

import pytest

from infra.simulation.deployment import QUEUE_URL, Deployment
from infra.simulation.faults import BATCH, Call, Chosen, Fault, Target
from infra.simulation.gate import Passed
from infra.simulation.kernel import Kernel
from infra.simulation.runs import Run, run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.sqs import Sqs


def test_the_receipt_of_an_earlier_receive_may_delete_and_may_not(deployment: Deployment) -> None:
    sqs = Sqs(Kernel(1, 0.0), deployment.queues)
    queue = deployment.queues[0].name
    outcomes: Counter[bool] = Counter()

    for _ in range(40):
        message = sqs.send(queue, "{}")
        (old,) = [one.receipt for one in sqs.receive(queue, 1, visibility=0)]
        (new,) = [one.receipt for one in sqs.receive(queue, 1, visibility=0)]
        sqs.delete(queue, old)
        outcomes[message.message_id in sqs.queues[queue].messages] += 1
        sqs.delete(queue, new)
        assert message.message_id not in sqs.queues[queue].messages

    assert min(outcomes[True], outcomes[False]) > 5


def test_entries_of_a_batch_that_fail_are_named_and_not_sent(deployment: Deployment) -> None:
    sqs = Sqs(Kernel(1, 0.0), deployment.queues)
    name = deployment.queues[0].name
    url = f"{QUEUE_URL}{name}"
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(3)]

    answer = sqs.call(BATCH, {"QueueUrl": url, "Entries": entries}, failing=[1])

    assert [one["Id"] for one in answer["Successful"]] == ["0", "2"]
    assert [one["Id"] for one in answer["Failed"]] == ["1"]
    assert sorted(one.body for one in sqs.queues[name].messages.values()) == ["0", "2"]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.CONFLICTED, Fault.PARTIAL])
def test_a_fault_heals_in_whichever_way_it_comes(deployment: Deployment, fault: Fault) -> None:
    calm = run(deployment, SCENARIOS["card-completed"], 3)
    names = [line.call.name for line in calm.passed if fault in line.call.possible][:12]

    tried = [broken(deployment, name, fault) for name in names]

    assert [one.violations for one in tried if one.violations] == []
    assert all(one.injected for one in tried)
    if fault is Fault.REFUSED:
        outcomes = {line.outcome for one in tried for line in one.passed if line.fault is fault}
        assert len(outcomes) > 3


@pytest.mark.parametrize(
    ("call", "can_be_lost"),
    [(("gateway", "GET /charges"), True), (("dynamodb", "GetItem"), False)],
)
def test_only_a_look_up_at_a_psp_can_be_lost_of_all_reads(
    call: tuple[Any, str], can_be_lost: bool
) -> None:
    target, operation = call

    read = Call("a.1", Target(target), operation, "", changes=False, has_environment=True)

    assert (Fault.LOST in read.possible) is can_be_lost
    assert Fault.REFUSED in read.possible


def broken(deployment: Deployment, name: str, fault: Fault) -> Run:
    return run(deployment, SCENARIOS["card-completed"], 3, Chosen({name: fault}), is_strict=True)


def test_a_call_that_its_batch_has_left_behind_gets_out_in_a_later_invocation(
    deployment: Deployment,
) -> None:
    tried = [
        stalled(deployment, scenario, seed)
        for scenario in ("card-unavailable", "card-fallback")
        for seed in range(1, 6)
    ]

    assert [one.violations for one in tried if one.violations] == []
    late = [line for one in tried for line in one.passed if is_left_behind(line, one)]
    assert len(late) > 1


def stalled(deployment: Deployment, scenario: str, seed: int) -> Run:
    """Let the first charge's worker stand still until its batch has answered without it."""
    calm = run(deployment, SCENARIOS[scenario], seed)
    charge = next(line for line in calm.passed if line.call.operation == "POST /charges")
    faults = Chosen({charge.call.name: Fault.STALLED_LONG})
    return run(deployment, SCENARIOS[scenario], seed, faults, is_strict=True)


def is_left_behind(line: Passed, done: Run) -> bool:
    """Whether a call was made after its function had begun with another batch."""
    return line.stalled_seconds > 0 and any(
        other.call.operation == "receive" and line.at < other.at <= line.ended_at < inf
        for other in done.passed
        if other.call.name.startswith("receive processor")
    )
