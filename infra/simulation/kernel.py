"""The simulator's scheduler: tasks that take turns under a virtual clock.

A task is a greenlet. It runs alone until it waits (for an outside call, a pause, another task) and
gives the turn back; the next turn is that of the earliest event. So one seed gives one
interleaving. Whatever a run leaves to chance is drawn by name, so that one draw does not depend on
how many others there were: a run with a fault less is the same run up to that fault.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

_BLUNDERS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
)
MAX_EVENTS = 200_000
"""More than that is a loop."""


class Task:
    """One line of work. `owner` is what it belongs to, and what its turns are set up for."""

    def __init__(self, name: str, work: Callable[[], Any], owner: Owner | None) -> None:
        self.name = name
        self.owner = owner
        self.calls = 0
        self.draws = 0
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.when_done: list[Callable[[], None]] = []
        self._work = work
        self.greenlet = greenlet(self._run)

    def _run(self) -> None:
        try:
            self.result = self._work()
        except GreenletExit:
            return
        except BaseException as error:  # noqa: BLE001 - whoever waits for the task judges it
            self.error = error
        self.is_done = True
        for tell in self.when_done:
            tell()


class Owner:
    """What tasks belong to: a Lambda environment. It may be frozen, and thawed; or it is dead.

    Its clock is ahead by `skew_seconds`.

    No task of a dead owner gets a turn again: what it would do when it ends, is not done.
    """

    skew_seconds: float = 0.0
    cut_off_at: float = 0.0
    """When its invocation is killed, if that has not ended."""

    def __init__(self) -> None:
        self.is_dead = False
        self.is_frozen = False
        self.held: list[Callable[[], None]] = []

    def enter(self) -> None:
        """Prepare the process for a turn of one of its tasks."""

    def leave(self) -> None:
        """Keep what the turn left in the process."""


class Kernel:
    """Virtual time, in seconds since 1970, and the tasks in it."""

    def __init__(self, seed: int, start: float) -> None:
        self.now = start
        self.start = start
        self.current: Task | None = None
        self.skipped = 0.0
        self.failed: list[Task] = []
        """Tasks that ended with an error of their own."""
        self.blunders: list[Exception] = []
        """What the product raised and should not have, whoever swallowed it then."""
        self.when_shown: Callable[[float], None] = lambda _when: None
        self._shown = start
        self._key = seed.to_bytes(8, "big", signed=True)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._until = start
        self._left = 0
        self.is_ending = False
        """Whether `run` is about to see that it is over: then each turn goes through it."""
        self._hub = getcurrent()
        # In the order of their making, which is also that in which they are dropped.
        self._tasks: dict[Task, None] = {}
        self._names: dict[str, int] = {}
        self.is_closed = False
        """Whether the run is over: nothing that still unwinds may get anything done."""

    # Chance.

    def draw(self, *names: object) -> float:
        """Draw a number in [0, 1) that depends on the seed and these names alone."""
        return self.bits(56, *names) / 2**56

    def bits(self, count: int, *names: object) -> int:
        """Draw so many bits, as `draw` does; the count is a multiple of eight."""
        text = "/".join(map(str, names)).encode()
        digest = blake2b(text, digest_size=count // 8, key=self._key).digest()
        return int.from_bytes(digest, "big")

    def unique(self, name: str) -> str:
        """Return the name, or with a number when it is not the first of that name."""
        number = self._names[name] = self._names.get(name, 0) + 1
        return name if number == 1 else f"{name}~{number}"

    # Time.

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        return self.now - self.start

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at an instant."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self.at(self.now + seconds, action)

    def skip(self, seconds: float) -> None:
        """Let time jump: what was to happen meanwhile happens late, now."""
        self.skipped += seconds
        self._move(self.now + seconds)

    def run(self, is_over: Callable[[], bool], until: float) -> bool:
        """Let things happen until `is_over` or until an instant; return whether it was over."""
        self._hub = getcurrent()
        self._until, self._left = until, MAX_EVENTS
        while self._left > 0:
            self._left -= 1
            if is_over():
                self._show(self.now)
                return True
            if not self._events or self._events[0][0] > until:
                self._move(until)
                return False
            when, _order, action = heapq.heappop(self._events)
            self._move(when)
            action()
        raise RuntimeError(f"more than {MAX_EVENTS} events")

    def _is_next(self, when: float) -> bool:
        is_first = not self._events or self._events[0][0] > when
        return is_first and when <= self._until and self._left > 0 and not self.is_ending

    def _move(self, when: float) -> None:
        self.now = max(self.now, when)
        self._show(self.now)

    def _show(self, when: float) -> None:
        """Let the process's clock be at an instant: which one depends on who looks at it."""
        if when != self._shown:
            self._shown = when
            self.when_shown(when)

    def note(self, error: Exception) -> None:
        """Take note of what a function has raised: a mistake of its code is not to be retried."""
        if isinstance(error, _BLUNDERS):
            self.blunders.append(error)

    # Tasks.

    def spawn(self, name: str, work: Callable[[], Any], owner: Owner | None = None) -> Task:
        """Begin a task; its first turn comes when its maker waits."""
        return self.begin(self.unique(name), work, owner)

    def begin(self, name: str, work: Callable[[], Any], owner: Owner | None) -> Task:
        """Begin a task whose name is known to be its own."""
        if self.is_closed:
            raise GreenletExit
        task = Task(name, work, owner)
        self._tasks[task] = None
        self.at(self.now, lambda: self._resume(task))
        return task

    def sleep(self, seconds: float) -> None:
        """Let the current task wait."""
        task = self._waiting()
        when = self.now + max(seconds, 0.0)
        if self._is_next(when):
            # Nobody else has anything to do until then: the turn would come back at once.
            self._left -= 1
            self.now = when
            self._show(when + (task.owner.skew_seconds if task.owner else 0.0))
            return
        self.at(when, lambda: self._resume(task))
        self._give_turn()

    def wait(self, tell: Callable[[Callable[[], None]], None], seconds: float | None) -> None:
        """Let the current task wait until it is told, or until a time is over.

        `tell` gets the action that wakes the task.
        """
        task = self._waiting()
        woken = False

        def wake() -> None:
            nonlocal woken
            if not woken:
                woken = True
                self.at(self.now, lambda: self._resume(task))

        tell(wake)
        if seconds is not None:
            self.after(max(seconds, 0.0), wake)
        self._give_turn()

    def freeze(self, owner: Owner, seconds: float) -> None:
        """Let all tasks of an owner stand still, of which the current one is one."""
        task = self._waiting()
        owner.is_frozen = True

        def thaw() -> None:
            owner.is_frozen = False
            waiting, owner.held = owner.held, []
            # Threads go on in any order: another one may end the invocation first.
            place = int(self.draw("thaw", task.name, task.calls) * (len(waiting) + 1))
            waiting.insert(place, lambda: self._resume(task))
            for resume in waiting:
                self.at(self.now, resume)

        self.after(seconds, thaw)
        self._give_turn()

    def join(self, task: Task, seconds: float | None = None) -> bool:
        """Let the current task wait for another one; return whether that one is done."""
        if not task.is_done:
            self.wait(task.when_done.append, seconds)
        return task.is_done

    def park(self) -> None:
        """Give the turn away for ever: the current task's owner is dead."""
        self._waiting()
        self._give_turn()
        raise AssertionError("a killed task was resumed")

    def close(self) -> None:
        """Drop all tasks. Nothing that they do while they unwind gets out."""
        self.is_closed = True
        self._events.clear()
        for task in self._tasks:
            while task.greenlet and not task.greenlet.dead:
                task.greenlet.throw(GreenletExit)
        self._tasks.clear()
        self._events.clear()

    def _waiting(self) -> Task:
        if self.is_closed:
            raise GreenletExit
        if self.current is None:
            raise RuntimeError("only a task can wait")
        return self.current

    def _give_turn(self) -> None:
        self._hub.switch()
        if self.is_closed:
            raise GreenletExit

    def _resume(self, task: Task) -> None:
        owner = task.owner
        if self.is_closed or (owner is not None and owner.is_dead):
            return
        if owner is not None and owner.is_frozen:
            owner.held.append(lambda: self._resume(task))
            return
        self.current = task
        self._show(self.now + (owner.skew_seconds if owner else 0.0))
        if owner is not None:
            owner.enter()
        try:
            # Whoever made it may wait at this moment: a task that ends gives its turn to the hub.
            task.greenlet.parent = self._hub
            task.greenlet.switch()
        finally:
            if owner is not None:
                owner.leave()
            self.current = None
        if task.greenlet.dead:
            self._tasks.pop(task, None)
            if task.error is not None:
                self.failed.append(task)
