"""Where the world stands in for what is outside: AWS, HTTP, time, chance, threads.

Everything is put in place for the length of one run and taken away after it. This is the only
module that replaces anything of the product, or of Python, and it replaces only what leads outside.
"""

from __future__ import annotations

import logging
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import get_ident
from typing import Any
from unittest.mock import patch

import boto3
import certifi
import httpx
import time_machine
from aws_lambda_powertools.shared import user_agent

from infra.simulation.aws import Aws
from infra.simulation.chance import Chance
from infra.simulation.functions import Environment
from infra.simulation.kernel import Kernel
from infra.simulation.pools import TaskFuture, TaskLock, TaskPool
from infra.simulation.sdk_retries import SdkRetries
from infra.simulation.short_wire import ShortWire
from infra.simulation.sockets import Connect
from infra.simulation.transport import new_client
from riel import app as riel_app
from riel import threads
from riel.app import App
from riel.config import Config
from riel.gateways import simulator_client
from riel.observability import metrics
from riel.webhooks.sending import WebhookClient

SHORT = frozenset({"dynamodb", "sqs", "kms", "secretsmanager"})
"""The services whose calls leave AWS's wire out: nearly all calls of a run."""


class Seams:
    """What the process's seams lead to during a run."""

    def __init__(
        self,
        kernel: Kernel,
        aws: Aws,
        gateway: httpx.BaseTransport,
        connect: Connect,
        count: Callable[..., None],
    ) -> None:
        self.kernel = kernel
        self.aws = aws
        self.gateway = gateway
        self.connect = connect
        self.count = count


_run: Seams | None = None


class SimulatedApp(App):
    """The product's composition root with clients that are made once for all runs."""

    def client(self, service: str) -> Any:
        """Return the shared client of a service."""
        return _client(service)

    @property
    def webhook_client(self) -> WebhookClient:
        """Return a client that all environments share: reading the authorities takes long."""
        return _webhook_client()


@contextmanager
def installed(seams: Seams) -> Iterator[None]:
    """Let the process's seams lead into a run."""
    global _run  # noqa: PLW0603 - the process has one time, so it has one run
    if _run is not None:
        raise RuntimeError("a run is under way")
    kernel = seams.kernel
    chance = Chance(kernel)
    with ExitStack() as stack:
        put = stack.enter_context

        def replace(owner: Any, name: str, new: Callable[..., Any]) -> None:
            put(patch.object(owner, name, _in_this_thread(new, getattr(owner, name))))

        _run = seams
        stack.callback(_forget)
        for service in ("dynamodb", "sqs", "kms", "secretsmanager", "dynamodbstreams"):
            # Made here, if not before: later there is no session to make it of.
            _client(service)
            _retries(service).forget()
        traveller = put(time_machine.travel(kernel.now, tick=False))
        kernel.when_shown = traveller.move_to
        replace(time, "sleep", _sleeping(kernel, time.sleep))
        replace(time, "monotonic", _monotonic(kernel, time.monotonic))
        replace(random, "uniform", chance.uniform)
        replace(random, "random", chance.random)
        replace(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))
        put(patch.object(secrets, "_sysrand", chance))
        replace(threads, "pool", lambda width: TaskPool(kernel, width))
        replace(threads, "start", _starting(kernel))
        replace(threads, "after", _after(kernel))
        replace(threads, "Lock", lambda: TaskLock(kernel))
        put(patch.object(App, "from_environment", _new_app))
        # Twenty milliseconds for each environment, and all share the clients made above.
        replace(boto3.session, "Session", _nothing)
        # It would add to the shared client with each environment, and never be taken away.
        replace(user_agent, "register_feature_to_client", _nothing)
        put(patch.object(simulator_client, "new_client", _new_gateway_client))
        replace(socket, "create_connection", seams.connect)
        put(patch.object(metrics.provider, "add_metric", seams.count))
        put(patch.object(metrics.provider, "flush_metrics", _nothing))
        put(_quiet())
        yield


def _in_this_thread(new: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """Stand in for something in the run's thread alone.

    Where a run is part of a larger process, such as a test's, other threads go on as they did, and
    what they draw or wait for is no part of the run.
    """
    here = get_ident()

    def chosen(*args: Any, **named: Any) -> Any:
        return (new if get_ident() == here else real)(*args, **named)

    return chosen


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing: metrics are counted, not written out."""


def _forget() -> None:
    global _run  # noqa: PLW0603
    _run = None


def _new_app() -> App:
    assert _run is not None
    kernel = _run.kernel
    environment = kernel.current.owner if kernel.current else None
    assert isinstance(environment, Environment), "only a function has an environment"
    config = Config.from_environment(environment.spec.environment)
    return SimulatedApp(config, random=Chance(kernel), resolver=_loopback)


def _loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@cache
def _client(service: str) -> Any:
    def answer(service: str, operation: str, request: dict[str, Any]) -> Any:
        assert _run is not None, "no run is under way"
        return _run.aws.answer(service, operation, request)

    client = new_client(service, riel_app._BOTO, answer)  # noqa: SLF001 - the product's settings
    _retries(service).attach(client)
    if service in SHORT:
        ShortWire(client, answer, _retries(service))
    return client


@cache
def _retries(_service: str) -> SdkRetries:
    return SdkRetries(riel_app.MAX_ATTEMPTS)


@cache
def _webhook_client() -> WebhookClient:
    certifi.where()
    return WebhookClient()


def _new_gateway_client(url: str, timeout_seconds: float, session: Any = None) -> httpx.Client:
    del session
    assert _run is not None
    timeout = httpx.Timeout(timeout_seconds, connect=simulator_client.CONNECT_SECONDS)
    return httpx.Client(base_url=url.rstrip("/"), timeout=timeout, transport=_run.gateway)


def _sleeping(kernel: Kernel, real: Callable[[float], None]) -> Callable[[float], None]:
    return lambda seconds: kernel.sleep(seconds) if kernel.current else real(seconds)


def _monotonic(kernel: Kernel, real: Callable[[], float]) -> Callable[[], float]:
    return lambda: kernel.now if kernel.current else real()


def _starting(kernel: Kernel) -> Callable[[Callable[[], Any], str], TaskFuture]:
    return lambda action, _name: TaskPool(kernel, 1).submit(action)


class _Timer:
    def __init__(self, kernel: Kernel, seconds: float, action: Callable[[], None]) -> None:
        self._is_canceled = False
        kernel.after(seconds, lambda: None if self._is_canceled else action())

    def cancel(self) -> None:
        self._is_canceled = True


def _after(kernel: Kernel) -> Callable[[float, Callable[[], None]], _Timer]:
    return lambda seconds, action: _Timer(kernel, seconds, action)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the product's log lines to themselves: a trace tells more, in less."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
