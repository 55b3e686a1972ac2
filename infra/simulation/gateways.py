"""The PSP of a run: the product's own simulator, with memory, time and chance of the run.

Its charges are the truth that invariants are checked against. It may be slow or silent by its
tokens; what gets lost on the way to it and from it is the gate's part.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from botocore.exceptions import ClientError

from functions.simulator.routes import route
from functions.simulator.table import ChargeTable
from functions.simulator.world import RefusedError, World
from infra.simulation.chance import Chance
from infra.simulation.dynamodb import DynamoDb, TableSpec
from infra.simulation.faults import Target
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel
from infra.simulation.transport import ServiceError
from riel.config import SimulatorConfig

LATER_SECONDS = 5.0
"""Longer than the first look-up waits, and within the time that a request may be under way."""
_TABLE = "charges"


@dataclass(slots=True)
class Asked:
    """One request of the product to a PSP.

    `key` is the idempotency key that it is about. `status` is what came back: 0 where there was no
    connection, None where nobody knows, or not yet.
    """

    at: float
    task: str
    method: str
    path: str
    key: str
    status: int | None = None


class Psp:
    """Both simulated PSPs; `send` brings an event to a URL."""

    def __init__(self, kernel: Kernel, send: Callable[[str, dict[str, Any]], None]) -> None:
        self._kernel = kernel
        self.memory = DynamoDb(lambda: kernel.now)
        self.memory.create(TableSpec(_TABLE, ("pk", None)))
        chance = Chance(kernel)
        self._world = World(
            config=SimulatorConfig(table=_TABLE, latency_seconds=(0.05, 0.2), secret=_TABLE),
            table=ChargeTable(cast("Any", _Direct(self.memory)), _TABLE),
            clock=lambda: datetime.fromtimestamp(kernel.now, UTC),
            random=chance,
            send=send,
            sleep=kernel.sleep,
        )
        self.on_asked: Callable[[Asked], None] = lambda _asked: None
        self.down: set[str] = set()
        """Which of the two answers that it is down."""
        self.failing: set[str] = set()
        """Which of the two answers a charge by an error, and makes it a little later."""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        """Answer one request, in the time that a PSP takes; returns status and body."""
        gateway = "standby" if path.startswith("/standby/") else "simulator"
        if gateway in self.down:
            return 503, {"error": "down"}
        event = {
            "requestContext": {"http": {"method": method}},
            "rawPath": path,
            "headers": headers,
            "body": body.decode(),
        }
        if method == "POST" and gateway in self.failing:
            self._kernel.spawn("psp-later", lambda: self._later(event))
            return 500, {"error": "failed"}
        return self._answer(event)

    def _later(self, event: dict[str, Any]) -> None:
        self._kernel.sleep(LATER_SECONDS)
        self._answer(event)

    def _answer(self, event: dict[str, Any]) -> Any:
        # What else is raised is no answer: neither the product nor a story may send what a PSP can
        # not read, and an error of the model must not look like a refusal. It ends the run.
        try:
            return route(self._world, event)
        except RefusedError as error:
            return error.status, {"error": str(error)}

    def charges(self) -> list[Any]:
        """All charges that it knows, as `functions.simulator.charges.Charge`."""
        return list(self._world.table.all())


class GatewayTransport(httpx.BaseTransport):
    """What the product's HTTP client for its gateways sends through."""

    def __init__(self, kernel: Kernel, gate: Gate, psp: Psp) -> None:
        self._kernel = kernel
        self._gate = gate
        self._psp = psp

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Bring a request to the PSP, and its answer back, if it comes in time."""
        patience = float(request.extensions["timeout"]["read"])
        path = request.url.path
        outside = Outside(
            target=Target.GATEWAY,
            operation=f"{request.method} /{path.strip('/').partition('/')[0]}",
            subject=request.headers.get("idempotency-key", path.rpartition("/")[2])[:40],
            changes=request.method == "POST",
            patience_seconds=patience,
            lost=lambda: httpx.ReadTimeout("no answer", request=request),
            refused=lambda: httpx.ConnectError("refused", request=request),
            told=lambda answer: str(answer.status_code),
        )
        asked = self._asked(request)
        try:
            response: httpx.Response = self._gate.make(
                outside, lambda: self._send(request, patience)
            )
        except httpx.ConnectError:
            asked.status = 0
            raise
        asked.status = response.status_code
        return response

    def _asked(self, request: httpx.Request) -> Asked:
        task = self._kernel.current
        path = request.url.path
        key = (
            request.headers.get("idempotency-key") or path.removesuffix("/void").rpartition("/")[2]
        )
        asked = Asked(self._kernel.elapsed, task.name if task else "", request.method, path, key)
        self._psp.on_asked(asked)
        return asked

    def _send(self, request: httpx.Request, patience: float) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.read()
        task = self._kernel.spawn(
            f"psp({headers.get('idempotency-key', request.url.path)[-12:]})",
            lambda: self._psp.answer(request.method, request.url.path, headers, body),
        )
        if not self._kernel.join(task, patience):
            raise httpx.ReadTimeout("no answer", request=request)
        if task.error is not None:
            raise task.error
        status, answer = task.result
        return httpx.Response(status, json=answer, request=request)


class _Direct:
    """A client that is asked directly: the PSP's own memory does not fail."""

    def __init__(self, memory: DynamoDb) -> None:
        self._memory = memory

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._call("PutItem", request)

    def get_item(self, **request: Any) -> dict[str, Any]:
        return self._call("GetItem", request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._call("UpdateItem", request)

    def get_paginator(self, _operation: str) -> _Direct:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"Items": self._memory.items(request["TableName"])}]

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._memory.call(operation, request)
        except ServiceError as error:
            code = error.code.rpartition("#")[2]
            raise ClientError({"Error": {"Code": code}}, operation) from error
        # What the model keeps must not be what its caller changes.
        return cast("dict[str, Any]", json.loads(json.dumps(answer)))
