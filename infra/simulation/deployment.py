"""What a stage deploys, read from its synthesized template: nothing of it is said again here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from infra.local.stream_decisions import StreamSettings
from infra.simulation.dynamodb import TableSpec
from infra.synthesis import synthesize

SIMULATOR_URL = "http://simulator.simulated"
PUBLIC_URL = "http://riel.simulated"
QUEUE_URL = "http://sqs.simulated/000000000000/"
_PARAMETERS = {"SimulatorUrl": SIMULATOR_URL, "PublicUrl": PUBLIC_URL}
_ADDRESSES = {"AWS::Lambda::Url": SIMULATOR_URL, "AWS::ApiGatewayV2::Api": PUBLIC_URL}
"""What stands behind a stage's own addresses; only its simulated PSP has a function's URL."""
_NAMES = ("FunctionName", "QueueName", "TableName", "AliasName", "Name")
_OF_THE_PSP = "functions.simulator."
_OF_THE_WORLD = {"RIEL_LOOPBACK_WEBHOOKS": "true"}
"""A world's merchants listen on loopback, whatever the stage allows."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """One queue; `dead_letters` is the name of the queue where a message goes in the end."""

    name: str
    visibility_seconds: float
    max_receives: int
    dead_letters: str


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function; `handler` is a module and a name in it."""

    name: str
    handler: str
    timeout_seconds: float
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """What takes a queue's messages to a function."""

    queue: str
    function: str
    batch_size: int
    max_concurrency: int


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """What takes the outbox's stream to a function; the settings name the queue of what failed."""

    function: str
    settings: StreamSettings


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stage. `prefix` begins the names of all that is in it, and `schedule` is the sweeper's."""

    prefix: str
    tables: tuple[TableSpec, ...]
    queues: tuple[QueueSpec, ...]
    functions: Mapping[str, FunctionSpec]
    queue_mappings: tuple[QueueMapping, ...]
    stream: StreamMapping
    scheduled_function: str
    schedule_seconds: float
    keys: tuple[str, ...]
    secrets: tuple[str, ...]

    def named(self, name: str) -> str:
        """Return the full name of what is called so in every stage."""
        return f"{self.prefix}-{name}"

    @property
    def lease_seconds(self) -> float:
        """How long a worker has a payment."""
        return float(self.functions[self.named("processor")].environment["RIEL_LEASE_SECONDS"])


@cache
def deployment_of(stage: str) -> Deployment:
    """Read a stage's template, which is synthesized first if its sources have changed."""
    resources: dict[str, Any] = {}
    for stack in synthesize(stage).stacks:
        resources |= json.loads(stack.template.read_text())["Resources"]
    return _Reader(resources).read(f"riel-{stage}")


class _Reader:
    """Resolves the template's references as far as the simulation needs them."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._resources = resources

    def read(self, prefix: str) -> Deployment:
        (schedule,) = self._of("AWS::Scheduler::Schedule")
        assert schedule["ScheduleExpression"] == "rate(1 minute)"
        mappings = list(self._of("AWS::Lambda::EventSourceMapping"))
        return Deployment(
            prefix=prefix,
            tables=tuple(map(TableSpec.of_definition, self._of("AWS::DynamoDB::Table"))),
            queues=tuple(self._queue(queue) for queue in self._of("AWS::SQS::Queue")),
            functions={f.name: f for f in self._functions()},
            queue_mappings=tuple(self._mapping(m) for m in mappings if "ScalingConfig" in m),
            stream=self._stream(next(m for m in mappings if "StartingPosition" in m)),
            scheduled_function=self._text(schedule["Target"]["Arn"]),
            schedule_seconds=60.0,
            keys=tuple(alias["AliasName"] for alias in self._of("AWS::KMS::Alias")),
            secrets=tuple(secret["Name"] for secret in self._of("AWS::SecretsManager::Secret")),
        )

    def _of(self, kind: str) -> Iterator[dict[str, Any]]:
        return (r["Properties"] for r in self._resources.values() if r["Type"] == kind)

    def _queue(self, queue: Mapping[str, Any]) -> QueueSpec:
        redrive = queue.get("RedrivePolicy", {})
        target = redrive.get("deadLetterTargetArn")
        return QueueSpec(
            name=queue["QueueName"],
            visibility_seconds=queue.get("VisibilityTimeout", 30),
            max_receives=redrive.get("maxReceiveCount", 0),
            dead_letters=self._text(target) if target else "",
        )

    def _functions(self) -> Iterator[FunctionSpec]:
        """Read the product's functions: the world has a PSP of its own."""
        for function in self._of("AWS::Lambda::Function"):
            if not function["Handler"].startswith(_OF_THE_PSP):
                yield self._function(function)

    def _function(self, function: Mapping[str, Any]) -> FunctionSpec:
        variables = function["Environment"]["Variables"]
        return FunctionSpec(
            name=function["FunctionName"],
            handler=function["Handler"],
            timeout_seconds=function["Timeout"],
            environment={
                **{name: self._text(value, is_url=True) for name, value in variables.items()},
                **_OF_THE_WORLD,
            },
        )

    def _mapping(self, mapping: Mapping[str, Any]) -> QueueMapping:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        return QueueMapping(
            queue=self._text(mapping["EventSourceArn"]),
            function=self._text(mapping["FunctionName"]),
            batch_size=mapping["BatchSize"],
            max_concurrency=mapping["ScalingConfig"]["MaximumConcurrency"],
        )

    def _stream(self, mapping: Mapping[str, Any]) -> StreamMapping:
        failed = self._text(mapping["DestinationConfig"]["OnFailure"]["Destination"])
        settings = replace(StreamSettings.from_mapping(mapping), on_failure_arn=failed)
        return StreamMapping(self._text(mapping["FunctionName"]), settings)

    def _text(self, value: Any, *, is_url: bool = False) -> str:
        """Resolve a value: what is referred to becomes its name, a queue's `Ref` its URL."""
        if isinstance(value, str):
            return value
        ((kind, what),) = value.items()
        if kind == "Fn::Join":
            return str(what[0].join(self._text(part, is_url=is_url) for part in what[1]))
        name = what[0] if kind == "Fn::GetAtt" else what
        if name in _PARAMETERS:
            return _PARAMETERS[name]
        resource = self._resources[name]
        if resource["Type"] in _ADDRESSES:
            return _ADDRESSES[resource["Type"]]
        properties = resource["Properties"]
        physical = next((str(properties[key]) for key in _NAMES if key in properties), None)
        if physical is None:
            raise NotImplementedError(f"{name}, a {resource['Type']}, has no name of its own")
        return (QUEUE_URL if is_url and "QueueName" in properties else "") + physical
