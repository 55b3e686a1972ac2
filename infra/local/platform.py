"""The whole local stage: starts every part in the right order, watches them, stops them all.

with LocalPlatform(port=8000, on_step=print) as platform:
    print(platform.state.api)
    platform.wait()
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from infra.local import state as states
from infra.local.aws import Aws
from infra.local.deployment import deploy
from infra.local.description import describe
from infra.local.engine import Engine, start_engine
from infra.local.errors import LocalStageError
from infra.local.listeners import internal_listener, port_of, product_listeners
from infra.local.logs import log_to
from infra.local.metrics import IteratorAges, MetricPublisher
from infra.local.processes import ChildProcess
from infra.local.product_port import CONCURRENT_REQUESTS
from infra.local.seed import seed_demo_merchant
from infra.local.simulator_process import create_simulator_table, start_simulator
from infra.local.state import STATE_FOLDER, LocalState, StageLock
from infra.local.stream_mappings import StreamMappings
from infra.local.warmup import targets_of, warm
from infra.names import Names
from infra.synthesis import CloudAssembly, SynthesisError, synthesize

PREFERRED_AWS_PORT: Final = 4566
PREFERRED_SIMULATOR_PORT: Final = 8001
_WATCH_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 15.0
_NAMES: Final = Names("local")
StepObserver = Callable[[str, float | None], None]
"""Called with a step's name and None when it begins, and with its seconds when it is done."""


def _ignore_step(_name: str, _seconds: float | None) -> None:
    """Observe nothing."""


class LocalPlatform:
    """One local stage: a context manager, or call `start` and `stop`.

    Inside, `state` tells where everything is, and `wait` returns when it is stopped.
    """

    def __init__(
        self,
        port: int = 8000,
        *,
        aws_port: int = PREFERRED_AWS_PORT,
        simulator_port: int = PREFERRED_SIMULATOR_PORT,
        state_folder: Path = STATE_FOLDER,
        on_step: StepObserver = _ignore_step,
        deliver_twice: bool = False,
    ) -> None:
        """Port 0 takes free ones; a taken product port is an error, the other two give way.

        `deliver_twice` is for tests: every queue message and every stream record comes twice.
        """
        self._ports = (port, aws_port, simulator_port)
        self._folder = state_folder
        self._on_step = on_step
        self._deliver_twice = deliver_twice
        self._lock = StageLock(state_folder)
        self._state: LocalState | None = None
        self._engine: Engine | None = None
        self._simulator: ChildProcess | None = None
        self._streams: StreamMappings | None = None
        self._cleanups = contextlib.ExitStack()
        self._stopping = threading.Event()

    @property
    def state(self) -> LocalState:
        """Where everything is; only while the stage runs."""
        if self._state is None:
            raise LocalStageError("The local stage is not started.")
        return self._state

    @property
    def worker_folder(self) -> Path:
        """Under which the functions' workers live, so that they can be told from all others."""
        if self._engine is None:
            raise LocalStageError("The local stage is not started.")
        return self._engine.temporary_folder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> LocalState:
        """Return when the product answers; raises LocalStageError and leaves nothing behind."""
        try:
            self._lock.acquire()
            self._cleanups.callback(self._lock.release)
            self._cleanups.enter_context(log_to(self._folder / "logs" / "stage.log"))
            return self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part, newest first; repeating it does nothing."""
        self._stopping.set()
        with _signals_ignored():
            self._cleanups.close()

    def failure(self) -> LocalStageError | None:
        """Say which part has ended by itself and why, or None while all run."""
        parts = (self._engine.process if self._engine else None, self._simulator)
        for part in parts:
            if part is not None and not part.is_alive():
                return LocalStageError(
                    f"The {part.name} has ended: {part.last_words() or 'it was killed'}.",
                    f"Its log is {part.log_file}.",
                )
        if self._streams is not None and not self._streams.is_alive():
            log_file = self._folder / "logs" / "stage.log"
            return LocalStageError("The stream poller has ended.", f"Its log is {log_file}.")
        return None

    def wait(self, seconds: float | None = None) -> None:
        """Wait until `stop` is called or the time is over; raises when a part ends by itself."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._stopping.wait(_WATCH_SECONDS):
            if (failure := self.failure()) is not None:
                raise failure
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _start(self) -> LocalState:
        product, aws_listener, simulator_listener = self._listen()
        api_port = port_of(product[0])
        simulator_url = f"http://127.0.0.1:{port_of(simulator_listener)}"
        # The engine starts in its own process while this one synthesizes.
        self._engine = self._start_engine(product, aws_listener)
        self._simulator = self._start_simulator(self._engine, simulator_listener)
        assembly = self._synthesize()
        with self._step("engine"):
            self._engine.wait_until_ready()
        aws = Aws(self._engine.endpoint)
        with self._step("deploy"):
            public_url = f"http://127.0.0.1:{api_port}"
            parameters = {"SimulatorUrl": simulator_url, "PublicUrl": public_url}
            outputs = deploy(aws, assembly, parameters)
            create_simulator_table(aws, _NAMES)
            self._start_pollers(aws)
        with self._step("warm up"), ThreadPoolExecutor(1) as beside:
            seeded = beside.submit(seed_demo_merchant, aws.endpoint, _NAMES.table("merchants"))
            warm(aws, targets_of(aws, outputs["ApiId"], CONCURRENT_REQUESTS))
            seeded.result()
        self._engine.publish(outputs["ApiId"])
        if (failure := self.failure()) is not None:
            raise failure
        self._state = describe(aws, _NAMES, api_port, simulator_url, outputs["ApiId"])
        states.write_state(self._folder, self._state)
        self._cleanups.callback(states.remove_state, self._folder)
        return self._state

    def _listen(self) -> tuple[list[socket.socket], socket.socket, socket.socket]:
        """Bind all ports first: a taken one is told before anything is started."""
        port, aws_port, simulator_port = self._ports
        product = product_listeners(port)
        for listener in product:
            self._cleanups.callback(listener.close)
        aws = self._cleanups.enter_context(internal_listener(aws_port))
        simulator = self._cleanups.enter_context(internal_listener(simulator_port))
        return product, aws, simulator

    def _synthesize(self) -> CloudAssembly:
        with self._step("synthesize"):
            try:
                return synthesize("local")
            except SynthesisError as error:
                raise LocalStageError(f"The template can not be made: {error}") from error

    def _start_engine(self, product: list[socket.socket], aws: socket.socket) -> Engine:
        engine = start_engine(
            product,
            aws,
            self._folder / "logs" / "engine.log",
            deliver_twice=self._deliver_twice,
        )
        self._cleanups.callback(engine.stop)
        for listener in [*product, aws]:
            listener.close()  # the child has its own copies; a dead child must free the ports
        return engine

    def _start_simulator(self, engine: Engine, listener: socket.socket) -> ChildProcess:
        log_file = self._folder / "logs" / "simulator.log"
        simulator = start_simulator(engine, listener, _NAMES, log_file)
        self._cleanups.callback(simulator.stop)
        listener.close()
        return simulator

    def _start_pollers(self, aws: Aws) -> None:
        ages = IteratorAges()
        readers = 2 if self._deliver_twice else 1
        self._streams = streams = StreamMappings(aws, ages.observe, readers)
        metrics = MetricPublisher(aws, ages)
        self._cleanups.callback(metrics.stop)
        self._cleanups.callback(streams.stop)
        streams.start()
        metrics.start()

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._on_step(name, None)
        began = time.monotonic()
        yield
        self._on_step(name, time.monotonic() - began)


def down(state_folder: Path = STATE_FOLDER) -> bool:
    """Stop the running stage and wait for it; False when none ran.

    Raises LocalStageError when it does not stop.
    """
    pid = states.running_pid(state_folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while states.running_pid(state_folder) == pid:
        if time.monotonic() > deadline:
            raise LocalStageError(
                f"The local stage (process {pid}) does not stop.", f"End it with: kill -9 {pid}"
            )
        time.sleep(0.05)
    return True


def status(state_folder: Path = STATE_FOLDER) -> LocalState | None:
    """Return where the running stage is, or None when none runs."""
    return states.read_state(state_folder)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that every way to stop is orderly.

    SIGINT too: a shell starts background programs with that signal ignored.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {n: signal.signal(n, signal.default_int_handler) for n in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """Let an impatient second Ctrl-C not interrupt the clean-up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {n: signal.signal(n, signal.SIG_IGN) for n in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
