"""One run: a world, a scenario, its faults, and the verdict."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.simulation import operator_shift
from infra.simulation.deployment import Deployment
from infra.simulation.dynamodb import Change
from infra.simulation.faults import Fault, Plan
from infra.simulation.gate import Passed
from infra.simulation.in_service import set_watermarks
from infra.simulation.invariants.always import check_charges, check_step
from infra.simulation.invariants.books import Books
from infra.simulation.invariants.doubts import Doubts
from infra.simulation.invariants.handovers import Handovers
from infra.simulation.invariants.in_the_end import Ended, check_end, check_shift
from infra.simulation.invariants.leases import Leases
from infra.simulation.invariants.load import Load
from infra.simulation.invariants.violations import Violation
from infra.simulation.plays import Play, Scenario
from infra.simulation.world import World
from riel.services.sweep_due import AGAIN_AFTER
from riel.store.deliveries import COPY_GRACE
from riel.webhooks.sending import DEADLINE_SECONDS

TRIES = 5
"""How often a webhook is tried that a run waits for; a stage on AWS goes on for days."""
LONGEST_SECONDS = 10 * 86_400.0
"""Of a run in which somebody acts for ever; a story may let some days pass."""


@dataclass
class Run:
    """What a run came to. `virtual_seconds` is how long it took in its own time, less any jumps."""

    scenario: str
    seed: int
    violations: list[Violation] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    injected: list[tuple[str, Fault]] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    """What became of payments, refunds and webhooks, and when."""
    virtual_seconds: float = 0.0
    invocations: int = 0
    payments: int = 0
    refunds: int = 0
    webhooks: int = 0
    dead_letters: int = 0
    reviews: int = 0
    gave_up: int = 0


def run(
    deployment: Deployment,
    scenario: Scenario,
    seed: int,
    plan: Plan | None = None,
    *,
    payments: Sequence[int] = (0,),
    is_strict: bool = False,
) -> Run:
    """Play a scenario to its end.

    A strict run leaves no dead letter behind that the scenario does not speak of. After any other
    one an operator comes, sends dead letters back and decides what is in review.
    """
    return _Running(deployment, scenario, seed, plan, payments, is_strict=is_strict).whole()


def liveness_seconds(deployment: Deployment) -> float:
    """How long it takes until all is quiet, after the last fault and the last thing anybody did.

    The longest way back: a message is lost that the sweeper had brought, so it brings it again
    (it leaves it alone for a while first); then the outbox's last lane finds the event that was
    lost with it (its age, the whole minute that it looks back by, its period); then a message that
    died in the hands of its receiver comes again, as often as it may; and in the end a webhook is
    tried at an endpoint that hangs, by its schedule and the sweeper's grace.
    """
    sweeper = deployment.functions[deployment.scheduled_function].environment
    period = deployment.schedule_seconds
    sender = deployment.functions[deployment.named("webhook-sender")].environment
    oldest = max(_seconds(sweeper["RIEL_SWEEP_AGES_SECONDS"]))
    given_up = max(queue.visibility_seconds * queue.max_receives for queue in deployment.queues)
    again, grace = AGAIN_AFTER.total_seconds(), COPY_GRACE.total_seconds()
    waits = _seconds(sender["RIEL_WEBHOOK_RETRY_SECONDS"])[: TRIES - 1]
    tries = (len(waits) + 1) * DEADLINE_SECONDS + sum(waits) + grace + period
    return (again + period) + (oldest + 60 + period) + given_up + tries


def _seconds(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


class _Running:
    """A run under way."""

    def __init__(
        self,
        deployment: Deployment,
        scenario: Scenario,
        seed: int,
        plan: Plan | None,
        payments: Sequence[int],
        *,
        is_strict: bool,
    ) -> None:
        self._scenario = scenario
        self._is_strict = is_strict
        self._world = world = World(deployment, seed, plan)
        self._books = Books(deployment.named("payments"), deployment.named("outbox"))
        self._run = Run(scenario.name, seed)
        self._payments = payments
        self._work_queues = [q for q in world.sqs.queues.values() if q.spec.dead_letters]
        self._dead_queues = [q for q in world.sqs.queues.values() if not q.spec.dead_letters]
        self._patience = liveness_seconds(deployment)
        world.dynamodb.on_settled = self._on_settled
        world.psp.memory.on_settled = self._on_charges
        self._load = Load(world.sqs, self._books)
        self._leases = Leases(deployment, world.kernel)
        Doubts(world.psp, self._violated)
        handovers = Handovers(deployment, world.dynamodb, world.sqs, self._violated)
        world.stream.on_relayed = handovers.see_relayed

    def whole(self) -> Run:
        """Play, wait, let the operator come, judge."""
        with self._world.running():
            try:
                self._play()
            except Exception as error:  # noqa: BLE001 - the simulator's own fault is a verdict too
                self._violated("the simulator works", _told(error))
            self._judge_models()
            self._count()
        return self._run

    def _play(self) -> None:
        operator = operator_shift.new_app(self._world)
        set_watermarks(operator)
        play = self._play_of = Play(self._world, self._books, operator, self._payments)
        self._scenario.play(play)
        if not self._comes_to_rest(play):
            return
        self._run.dead_letters = sum(len(queue.messages) for queue in self._dead_queues)
        if self._is_strict:
            if self._run.dead_letters and not self._scenario.leaves_letters:
                self._violated("no dead letter after one fault", str(self._letters()))
        elif not self._shifts(play):
            return
        for name, text in (*check_end(self._ended(play)), *self._load.check()):
            self._violated(name, text)
        if not self._world.gate.injected:
            for text in play.broken_promises():
                self._violated("stories end as they say", text)

    def _shifts(self, play: Play) -> bool:
        """Let the operator come, and again as long as a shift has had faults of its own."""
        faults = -1
        while faults < len(self._world.gate.injected):
            faults, since = len(self._world.gate.injected), self._world.kernel.elapsed
            self._run.reviews += operator_shift.work(play, self._has_letters())
            if not self._comes_to_rest(play):
                return False
        for name, text in check_shift(self._ended(play), since):
            self._violated(name, text)
        return True

    def _comes_to_rest(self, play: Play) -> bool:
        """Let time go on until all is quiet; False where that does not come, or all is lost."""
        kernel = self._world.kernel
        is_quiet = False

        def is_over() -> bool:
            nonlocal is_quiet
            if self._is_lost:
                return True
            if not play.is_over:
                return False
            is_quiet = self._is_quiet()
            return is_quiet or kernel.elapsed > self._last_at(play) + self._patience

        kernel.run(is_over, kernel.start + LONGEST_SECONDS)
        if not is_quiet and not self._is_lost:
            self._violated("liveness", f"still moving: {', '.join(self._moving(play))}")
        return is_quiet

    @property
    def _is_lost(self) -> bool:
        return bool(self._run.violations or self._world.gate.defects)

    def _last_at(self, play: Play) -> float:
        return max(self._world.gate.last_fault_at, play.last_act_at)

    def _is_quiet(self) -> bool:
        world = self._world
        return (
            not world.events_under_way
            and not world.gate.in_flight
            and not any(queue.messages for queue in self._work_queues)
            and world.stream.is_idle
            and not any(world.functions.running.values())
            and not self._restless()
        )

    def _restless(self) -> list[str]:
        """Name what has to come to rest by itself, and lies in no dead-letter queue."""
        moving = self._books.moving(self._world.kernel.now)
        if not moving or not self._has_letters():
            return moving
        letters = [m.body for queue in self._dead_queues for m in queue.messages.values()]
        return [name for name in moving if not any(name in body for body in letters)]

    def _moving(self, play: Play) -> list[str]:
        told = [f"{task.name} acts" for task in play.tasks if not task.is_done]
        told += [
            f"{queue.spec.name}: {len(queue.messages)}"
            for queue in self._work_queues
            if queue.messages
        ]
        told += [f"{name} runs" for name, count in self._world.functions.running.items() if count]
        if not self._world.stream.is_idle:
            told.append("the stream")
        return told + self._restless()

    def _on_settled(self, changes: list[Change]) -> None:
        for name, text in self._leases.check(changes):
            self._violated(name, text)
        self._load.note()
        step = self._books.note(changes)
        now = self._world.kernel.elapsed
        self._run.told += [(now, text) for text in step.told()]
        for name, text in check_step(self._books, step, self._world.endpoints.has_arrived):
            self._violated(name, text)

    def _on_charges(self, changes: list[Change]) -> None:
        for name, text in check_charges(self._books, self._books.note_charges(changes)):
            self._violated(name, text)

    def _violated(self, name: str, text: str) -> None:
        self._run.violations.append(Violation(name, text, self._world.kernel.elapsed))
        self._world.kernel.is_ending = True

    def _judge_models(self) -> None:
        """What a model or an actor should not have raised is nobody's to swallow."""
        failed = [task.error for task in self._world.kernel.failed]
        for error in [*self._world.gate.defects, *failed][:1]:
            self._violated("the simulator works", _told(error))
        for error in self._world.kernel.blunders[:1]:
            self._violated("no code of ours breaks", _told(error))

    def _has_letters(self) -> bool:
        return any(queue.messages for queue in self._dead_queues)

    def _letters(self) -> dict[str, list[dict[str, Any]]]:
        return {
            queue.spec.name: [json.loads(message.body) for message in queue.messages.values()]
            for queue in self._dead_queues
            if queue.messages
        }

    def _ended(self, play: Play) -> Ended:
        return Ended(
            self._world.kernel,
            self._books,
            play.shops,
            self._world.endpoints.all,
            self._letters(),
            tells_events=not self._world.loses_events,
        )

    def _count(self) -> None:
        run, world = self._run, self._world
        run.passed, run.injected = world.gate.passed, world.gate.injected
        run.virtual_seconds = world.kernel.elapsed - world.kernel.skipped
        run.invocations = world.functions.invocations
        run.payments, run.refunds = len(self._books.payments), len(self._books.refunds)
        run.webhooks = sum(len(one.received) for one in world.endpoints.all)
        run.gave_up = self._play_of.gave_up if hasattr(self, "_play_of") else 0


def _told(error: BaseException | None) -> str:
    """Say where an error comes from, in a line."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    where = frames[-1] if frames else None
    at = f" at {where.filename.rpartition('/')[2]}:{where.lineno}" if where else ""
    return f"{type(error).__name__}: {error}{at}"
