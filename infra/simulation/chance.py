"""Randomness by name: what one task draws does not depend on what others have drawn."""

from __future__ import annotations

from random import Random
from threading import get_ident
from typing import Any

from infra.simulation.kernel import Kernel


class Chance(Random):
    """Stands for `random.Random`: the n-th draw of a task is the same in each run of a seed."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(0)
        self._kernel = kernel
        self._draws = 0
        # Other threads of the process, which are no part of the run, may ask as well.
        self._thread = get_ident()
        self._of_others = Random()

    def random(self) -> float:
        """Draw a number in [0, 1)."""
        if get_ident() != self._thread:
            return self._of_others.random()
        return self._kernel.draw(*self._names())

    def getrandbits(self, k: int) -> int:
        """Draw so many bits."""
        if get_ident() != self._thread:
            return self._of_others.getrandbits(k)
        return self._kernel.bits(-(-k // 8) * 8, *self._names()) >> -k % 8

    def _names(self) -> tuple[object, ...]:
        task = self._kernel.current
        if task is None:
            self._draws += 1
            return "chance", self._draws
        task.draws += 1
        return "chance", task.name, task.draws

    def seed(self, *_: Any) -> None:
        """There is one seed, the run's."""
