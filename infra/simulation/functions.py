"""A model of Lambda: environments that are built, reused, frozen, cut off at the deadline, killed.

An environment runs one invocation at a time. Its handler module is executed anew for each one, so
what it keeps in memory is its own. When an invocation has answered, whatever its threads still do
stands still until the next one.
"""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable, Mapping
from functools import cache
from importlib.abc import InspectLoader
from types import CodeType, ModuleType
from typing import Any
from unittest.mock import patch

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from infra.simulation.deployment import FunctionSpec
from infra.simulation.kernel import Kernel, Owner

COLD_START_SECONDS = 0.4
ONE_MORE = 0.2
"""How likely a new environment is where another one waits, to one."""
MAX_SKEW_SECONDS = 0.5
"""Amazon's time service keeps machines within milliseconds; a margin on that."""
_OF_THE_PROCESS = ("current_event", "lambda_context")
"""What Powertools keeps in a class, as if a process had one environment only."""


class Context:
    """What a handler gets beside its event."""

    memory_limit_in_mb = 512

    def __init__(self, kernel: Kernel, spec: FunctionSpec, request_id: str) -> None:
        self.function_name = spec.name
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{spec.name}"
        self.aws_request_id = request_id
        self._kernel = kernel
        self._ends = kernel.now + spec.timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's time."""
        return max(0, round((self._ends - self._kernel.now) * 1000))


class Invocation:
    """One run of a function. `failure` says why there is no answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_done = False
        self.answer: Any = None
        self.failure = ""
        self._waiting: list[Callable[[], None]] = []

    def end(self, answer: Any, failure: str) -> None:
        """End once; a second end changes nothing."""
        if not self.is_done:
            self.is_done, self.answer, self.failure = True, answer, failure
            for tell in self._waiting:
                tell()

    def when_done(self, tell: Callable[[], None]) -> None:
        """Be told at the end, or at once when it is over."""
        if self.is_done:
            tell()
        else:
            self._waiting.append(tell)


class Environment(Owner):
    """One execution environment of a function."""

    def __init__(self, spec: FunctionSpec, name: str, skew_seconds: float) -> None:
        super().__init__()
        self.spec = spec
        self.name = name
        self.skew_seconds = skew_seconds
        self.invocation: Invocation | None = None
        self.module: ModuleType | None = None
        self._kept: dict[str, Any] = {}

    def enter(self) -> None:
        """Put this environment's part of the process in place."""
        for name, value in self._kept.items():
            setattr(BaseRouter, name, value)

    def leave(self) -> None:
        """Take it away again."""
        self._kept = {n: vars(BaseRouter)[n] for n in _OF_THE_PROCESS if n in vars(BaseRouter)}
        for name in self._kept:
            delattr(BaseRouter, name)

    def load(self) -> Callable[[Any, Any], Any]:
        """Build the handler on the first use, as a cold start does."""
        module, _, name = self.spec.handler.rpartition(".")
        if self.module is None:
            self.module = _execute(module)
        handler: Callable[[Any, Any], Any] = getattr(self.module, name)
        return handler


class Functions:
    """All functions of a stage."""

    def __init__(self, kernel: Kernel, specs: Mapping[str, FunctionSpec]) -> None:
        self._kernel = kernel
        self._specs = specs
        self._idle: dict[str, list[Environment]] = {}
        self.running: dict[str, int] = dict.fromkeys(specs, 0)
        self.invocations = 0
        self.kills: list[tuple[str, str]] = []

    def invoke(self, function: str, event: Any, name: str) -> Invocation:
        """Begin an invocation; `name` tells it from others."""
        invocation = Invocation(self._kernel.unique(name))
        environment, is_cold = self._environment(function, invocation.name)
        environment.invocation = invocation
        self.invocations += 1
        self.running[function] += 1
        spec = environment.spec

        def work() -> None:
            if is_cold:
                self._kernel.sleep(COLD_START_SECONDS)
            # The time of a function begins after its start.
            context = Context(self._kernel, spec, invocation.name)
            environment.cut_off_at = self._kernel.now + spec.timeout_seconds
            self._kernel.at(environment.cut_off_at, lambda: self._cut_off(environment, invocation))
            try:
                answer, failure = environment.load()(event, context), ""
            except Exception as error:  # noqa: BLE001 - as Lambda does: the invocation has failed
                self._kernel.note(error)
                answer, failure = None, f"{type(error).__name__}: {error}"
            self._end(environment, invocation, answer, failure)

        environment.is_frozen = False
        held, environment.held = environment.held, []
        self._kernel.begin(invocation.name, work, environment)
        for resume in held:
            self._kernel.at(self._kernel.now, resume)
        return invocation

    def kill(self, owner: Owner, why: str) -> None:
        """Kill an environment: nothing of it ever runs again."""
        if isinstance(owner, Environment) and not owner.is_dead:
            owner.is_dead = True
            if owner.invocation is not None:
                self.kills.append((owner.invocation.name, why))
                self.running[owner.spec.name] -= 1
                owner.invocation.end(None, why)

    def _cut_off(self, environment: Environment, invocation: Invocation) -> None:
        if environment.invocation is invocation and not environment.is_dead:
            self.kill(environment, "timed-out")

    def _end(
        self, environment: Environment, invocation: Invocation, answer: Any, failure: str
    ) -> None:
        environment.invocation = None
        environment.is_frozen = True
        self.running[environment.spec.name] -= 1
        self._idle.setdefault(environment.spec.name, []).append(environment)
        invocation.end(answer, failure)

    def _environment(self, function: str, invocation: str) -> tuple[Environment, bool]:
        idle = self._idle.get(function, [])
        # Which one is nobody's promise, nor that one that waits is taken at all.
        place = self._kernel.draw("environment", invocation) * (1 + ONE_MORE)
        if place < 1 and idle:
            return idle.pop(int(place * len(idle))), False
        spec = self._specs[function]
        name = self._kernel.unique(f"{function}#")
        skew = (self._kernel.draw("skew", name) * 2 - 1) * MAX_SKEW_SECONDS
        return Environment(spec, name, skew), True


def _execute(name: str) -> ModuleType:
    module = ModuleType(name)
    # The API's handler freezes what its start has made: here no collection would free it, and as
    # that counts collections anew, there would never be a full one.
    with patch.object(gc, "freeze", _nothing):
        exec(_code(name), module.__dict__)  # noqa: S102 - our own module, a second time
    return module


def _nothing() -> None:
    """Do nothing."""


@cache
def _code(name: str) -> CodeType:
    spec = importlib.util.find_spec(name)
    if spec is None or not isinstance(spec.loader, InspectLoader):
        raise ModuleNotFoundError(name)
    code = spec.loader.get_code(name)
    if code is None:
        raise ModuleNotFoundError(f"{name} has no code")
    return code
