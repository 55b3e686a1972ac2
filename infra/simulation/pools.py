"""What stands for threads in a simulation: pools of tasks, and locks that tasks wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any

from infra.simulation.kernel import Kernel


class TaskFuture(Future[Any]):
    """The result of a task; waiting for it gives the turn to others."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result; raises TimeoutError when it takes longer."""
        self._wait(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; return what the work raised."""
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        if not self.done():
            self._kernel.wait(lambda wake: self.add_done_callback(lambda _: wake()), timeout)


class TaskPool(Executor):
    """So many tasks at once; what is more waits its turn."""

    def __init__(self, kernel: Kernel, width: int) -> None:
        self._kernel = kernel
        self._free = width
        self._waiting: deque[Callable[[], None]] = deque()
        self._futures: list[TaskFuture] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> TaskFuture:
        """Begin work, now or when a task is free."""
        future = TaskFuture(self._kernel)
        self._futures = [known for known in self._futures if not known.done()] + [future]
        parent = self._kernel.current

        def work() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except Exception as error:  # noqa: BLE001 - it belongs to whoever asks for the result
                    self._kernel.note(error)
                    future.set_exception(error)
            self._free += 1
            self._begin()

        name = f"{parent.name if parent else 'nobody'}/{len(self._futures)}"
        owner = parent.owner if parent else None
        self._waiting.append(lambda: self._spawn(name, work, owner))
        self._begin()
        return future

    def _spawn(self, name: str, work: Callable[[], None], owner: Any) -> None:
        self._kernel.spawn(name, work, owner)

    def _begin(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft()()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all work, if asked to."""
        for future in self._futures:
            if cancel_futures:
                future.cancel()
            if wait and not future.done():
                future.exception()


class TaskLock:
    """A lock that may be held while its task waits for something else."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._is_held = False
        self._waiting: deque[Callable[[], None]] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it unless told not to."""
        while self._is_held:
            if not blocking:
                return False
            self._kernel.wait(self._waiting.append, None if timeout < 0 else timeout)
            if self._is_held and timeout >= 0:
                return False
        self._is_held = True
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self._is_held = False
        if self._waiting:
            self._waiting.popleft()()

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._is_held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
