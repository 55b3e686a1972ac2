"""One world: a stage as it is deployed, its PSP, its merchants' endpoints, and their one clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from functions.simulator.posting import signature
from infra.simulation.aws import SIMULATOR_SECRET, Aws
from infra.simulation.deployment import PUBLIC_URL, Deployment
from infra.simulation.dynamodb import DynamoDb
from infra.simulation.edge import Edge, UnreachableError
from infra.simulation.endpoints import Endpoints
from infra.simulation.faults import NoFaults, Plan
from infra.simulation.functions import Functions
from infra.simulation.gate import Gate
from infra.simulation.gateways import GatewayTransport, Psp
from infra.simulation.kernel import Kernel, Task
from infra.simulation.mappings import QueuePoller, Schedule, StreamPoller
from infra.simulation.seams import Seams, installed
from infra.simulation.sockets import connecting
from infra.simulation.sqs import Sqs

START = 1_776_427_200.0
"""2026-04-17T12:00:00Z."""
EXPIRY_SECONDS = 1800.0
"""What is expired is looked for twice in such a time, at odd times."""
AFTER_LEASE_SECONDS = 19.0
"""How much later than a lease lasts what is late comes: others have long been at work by then."""
EVENT_SECONDS = (0.0, 2.0)
EVENT_RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class World:
    """Everything of one run. Use it inside `running`."""

    def __init__(self, deployment: Deployment, seed: int, plan: Plan | None = None) -> None:
        self.deployment = deployment
        self.kernel = kernel = Kernel(seed, START)
        self.functions = Functions(kernel, deployment.functions)
        late = deployment.lease_seconds + AFTER_LEASE_SECONDS
        self.gate = gate = Gate(kernel, plan or NoFaults(), self.functions.kill, late)
        self.dynamodb = DynamoDb(lambda: kernel.now, kernel.draw)
        for table in deployment.tables:
            self.dynamodb.create(table)
        self.sqs = Sqs(kernel, deployment.queues)
        self.aws = Aws(kernel, gate, self.dynamodb, self.sqs, deployment.keys)
        self.psp = Psp(kernel, self._send_event)
        self.endpoints = Endpoints(kernel, gate)
        self.edge = Edge(kernel, gate, self.functions, deployment)
        for mapping in deployment.queue_mappings:
            QueuePoller(kernel, self.sqs, self.functions, mapping, gate.between)
        self.stream = StreamPoller(
            kernel, self.sqs, self.functions, deployment.stream, gate.between
        )
        self.aws.stream = self.stream.kept
        self.dynamodb.on_change = self.stream.take
        self.schedule = Schedule(
            kernel,
            self.functions,
            deployment.scheduled_function,
            deployment.schedule_seconds,
            gate.between,
        )
        self.events_under_way = 0
        self.loses_events = False
        """Whether the PSP's events get lost for good."""
        self.metrics: Counter[str] = Counter()

    @contextmanager
    def running(self) -> Iterator[World]:
        """Let this world be what the process's seams lead to."""
        transport = GatewayTransport(self.kernel, self.gate, self.psp)
        connect = connecting(self.endpoints.serve)
        with installed(Seams(self.kernel, self.aws, transport, connect, self._count)):
            self.schedule.start()
            self._expire_later(1)
            try:
                yield self
            finally:
                self.kernel.close()

    def run(self, is_over: Callable[[], bool], seconds: float) -> bool:
        """Let time go on until it is over; return whether it was, before the seconds were."""
        return self.kernel.run(is_over, self.kernel.now + seconds)

    def spawn(self, name: str, work: Callable[[], Any]) -> Task:
        """Begin what somebody outside of the stage does."""
        return self.kernel.spawn(name, work)

    def _expire_later(self, number: int) -> None:
        # What is expired is deleted within days: some of it soon, some of it late.
        wait = EXPIRY_SECONDS * self.kernel.draw("expiry", number)

        def expire() -> None:
            self.dynamodb.expire(is_chosen=lambda item: self.kernel.draw(number, item) < 0.5)
            self._expire_later(number + 1)

        self.kernel.after(wait, expire)

    def _count(self, name: str, unit: Any, value: float, **_: Any) -> None:
        del unit
        self.metrics[name] += int(value)

    def _send_event(self, url: str, event: dict[str, Any]) -> None:
        """Bring a PSP's event to the stage, as a PSP does: soon, and again until it is taken."""
        if self.loses_events:
            return
        low, high = EVENT_SECONDS
        name = self.kernel.unique(f"psp-event({event['data']['idempotency_key'][-8:]})")
        self.events_under_way += 1

        def send() -> None:
            self.kernel.sleep(low + (high - low) * self.kernel.draw("event", name))
            for wait in EVENT_RETRY_SECONDS:
                if self._post_event(url, event):
                    break
                self.kernel.sleep(wait)
            self.events_under_way -= 1

        self.kernel.begin(name, send, None)

    def _post_event(self, url: str, event: dict[str, Any]) -> bool:
        body = json.dumps(event).encode()
        signed = signature(SIMULATOR_SECRET, int(self.kernel.now), body)
        headers = {
            "content-type": "application/json",
            "simulator-event-id": event["id"],
            "simulator-signature": signed,
        }
        try:
            answer = self.edge.send("POST", url.removeprefix(PUBLIC_URL), headers, body)
        except UnreachableError:
            return False
        return 200 <= answer.status < 300
