"""Mutants of the product, each with one plausible mistake in it.

A simulator that finds nothing may have looked at nothing. So each rule that keeps money safe is
broken here in turn, as a developer could break it in a hurry, and what breaks is seen.
"""

from __future__ import annotations

from tests.simulation.mutants.accepting import ACCEPTING
from tests.simulation.mutants.carrying import CARRYING
from tests.simulation.mutants.charging import CHARGING
from tests.simulation.mutants.claiming import CLAIMING
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.mutants.refunding import REFUNDING
from tests.simulation.mutants.telling import TELLING
from tests.simulation.mutants.understanding import UNDERSTANDING

GROUPS: dict[str, tuple[Mutant, ...]] = {
    "accepting": ACCEPTING,
    "claiming": CLAIMING,
    "charging": CHARGING,
    "refunding": REFUNDING,
    "carrying": CARRYING,
    "telling": TELLING,
    "understanding": UNDERSTANDING,
}
MUTANTS = tuple(mutant for group in GROUPS.values() for mutant in group)


def named(name: str) -> Mutant:
    """Find a mutant; raises KeyError."""
    return {mutant.name: mutant for mutant in MUTANTS}[name]
