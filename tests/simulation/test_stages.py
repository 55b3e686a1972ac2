"""Every stage can be read, and what is deployed on AWS holds with its own waits as well."""

from __future__ import annotations

import re

import pytest

from infra import stages
from infra.simulation.deployment import PUBLIC_URL, SIMULATOR_URL, deployment_of
from infra.simulation.exhaustive import Part, explore
from infra.simulation.failures import Failure
from infra.simulation.faults import Chosen, Fault
from infra.simulation.plays import Play, Scenario
from infra.simulation.runs import run
from infra.simulation.scenarios import MIXED, SCENARIOS
from infra.simulation.seeds import Search, Trial, try_seed
from infra.simulation.stages import TOO_LONG, has_gateway, scenarios_of
from riel.config import Config

DEV = "dev"
SEED_OF_ALL_FAULTS = 1
EVERY = 40
"""Of the calls and faults of a scenario, which the local stage has in whole."""


@pytest.mark.parametrize("stage", stages.STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_is_simulated_as_it_is_deployed(stage: stages.Stage) -> None:
    deployment = deployment_of(stage.name)
    processor = deployment.functions[deployment.named("processor")]
    config = Config.from_environment(processor.environment)

    for queue in deployment.queues:
        if queue.dead_letters:
            settings = stage.queues[queue.name.removeprefix(f"{deployment.prefix}-")]
            assert queue.visibility_seconds == settings.visibility_seconds
            assert queue.max_receives == settings.max_receives
    for mapping in deployment.queue_mappings:
        short = mapping.queue.removeprefix(f"{deployment.prefix}-")
        assert mapping.max_concurrency == stage.queues[short].max_concurrency
    for name, function in deployment.functions.items():
        short = name.removeprefix(f"{deployment.prefix}-")
        assert function.timeout_seconds == stage.functions[short].timeout_seconds
    assert config.lease_seconds == stage.lease_seconds
    assert config.gateway_retry_seconds == stage.gateways.retry_seconds
    assert deployment.stream.settings.maximum_retries == stage.stream.retry_attempts


@pytest.mark.parametrize("stage", stages.STAGES)
def test_a_stage_knows_only_places_in_its_world(stage: str) -> None:
    deployment = deployment_of(stage)
    environments = [dict(spec.environment) for spec in deployment.functions.values()]

    urls = {
        url
        for environment in environments
        for name, value in environment.items()
        if name.startswith("RIEL_")
        for url in re.findall(r"\w+://[^/]+", value)
    }
    assert urls <= {PUBLIC_URL, SIMULATOR_URL, "http://sqs.simulated"}
    assert deployment.named("simulator") not in deployment.functions


def test_only_a_stage_with_a_gateway_has_scenarios() -> None:
    assert [stage for stage in stages.STAGES if has_gateway(stage)] == ["local", DEV]
    assert scenarios_of("prod") == []
    assert scenarios_of("local") == list(SCENARIOS)
    assert {*scenarios_of(DEV), *TOO_LONG} == {*SCENARIOS, MIXED.name}


@pytest.mark.parametrize("scenario", scenarios_of(DEV))
def test_a_scenario_holds_with_the_waits_of_a_stage_on_aws(scenario: str) -> None:
    calm = run(deployment_of(DEV), SCENARIOS[scenario], 1, is_strict=True)
    failure = try_seed(Trial(Search(scenario, stage=DEV), SEED_OF_ALL_FAULTS)).failure

    assert calm.violations == []
    assert failure is None, told(failure)
    assert bool(calm.dead_letters) == SCENARIOS[scenario].leaves_letters


@pytest.mark.parametrize("scenario", ["card-completed", "refund-timeout", "webhook-fails-first"])
def test_a_single_fault_breaks_nothing_with_the_waits_of_a_stage_on_aws(scenario: str) -> None:
    explored = explore(Part(scenario, 0, EVERY, stage=DEV))

    assert not [told(failure) for failure in explored.failures]
    assert explored.numbers.faults.total() > 1


def test_a_lease_of_a_stage_on_aws_outlasts_the_one_of_the_local_stage() -> None:
    """A worker that dies with a claim is waited for as long as its own stage says."""
    ends = {}
    for stage in ("local", DEV):
        fault = {first_charge(stage): Fault.KILLED_AFTER}
        done = run(deployment_of(stage), SCENARIOS["card-completed"], 1, Chosen(fault))
        assert (done.violations, len(done.injected)) == ([], 1)
        ends[stage] = next(at for at, text in done.told if text.endswith(" is completed"))

    local, dev = (stages.STAGES[stage].lease_seconds for stage in ends)
    assert local < ends["local"] < dev < ends[DEV]


def test_a_failure_on_another_stage_says_on_which() -> None:
    def broken(_play: Play) -> None:
        raise RuntimeError("of the simulator")

    done = run(deployment_of(DEV), Scenario("card-completed", broken), 1)

    options = Failure.of(done, (), stage=DEV).options
    assert options.startswith("--stage dev --scenario card-completed --seed 1 ")
    assert "--stage" not in Failure.of(done, ()).options


def test_a_psp_that_breaks_breaks_the_run_and_looks_like_no_refusal() -> None:
    def broken(play: Play) -> None:
        def call(_operation: str, _request: object) -> dict[str, object]:
            raise KeyError("of the model")

        play.world.psp.memory.call = call  # type: ignore[assignment,method-assign]
        SCENARIOS["card-completed"].play(play)

    done = run(deployment_of("local"), Scenario("broken", broken), 1)

    assert [violation.name for violation in done.violations] == ["the simulator works"]
    assert "KeyError: 'of the model'" in done.violations[0].text


def first_charge(stage: str) -> str:
    """The call by which a card is charged."""
    calm = run(deployment_of(stage), SCENARIOS["card-completed"], 1)
    return next(one.call.name for one in calm.passed if one.call.operation == "POST /charges")


def told(failure: Failure) -> str:
    """What failed, and how to have it again."""
    return f"{failure.violations}: riel simulate {failure.options}"
