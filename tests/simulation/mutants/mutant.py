"""A mutant of the product: one plausible mistake, which the fault simulator has to find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
CORE = "layers/core/python"


SEEDS, FAULTS = "seeds", "faults"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mutant is searched: by seeds, or by one fault at a time in a scenario.

    Seeds of the mixed workload come with faults, those of a scenario without. `begin` is the first
    run of a quick search: `make check` has not got the time for all that come before it.
    """

    search: str = SEEDS
    scenario: str = "mixed"
    begin: int = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake. `old` occurs once in `file`, which is relative to the package's folder.

    `mistake` says what is done wrong, in the words of whoever would do it.
    """

    name: str
    mistake: str
    file: str
    old: str
    new: str
    place: Place = Place()

    @property
    def path(self) -> Path:
        """Where the source is."""
        folder = ROOT / CORE if self.file.startswith("riel/") else ROOT
        return folder / self.file

    @property
    def module(self) -> str:
        """By which name it is imported."""
        return self.file.removesuffix(".py").replace("/", ".")

    def source(self) -> str:
        """Return the module's source with the mistake in it; raises ValueError if it moved on."""
        text = self.path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} does not have the old text once")
        return text.replace(self.old, self.new)
