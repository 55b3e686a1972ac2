"""The benchmark's result: its lines, on the screen and in docs/benchmarks.md."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from infra.bytecode import VERSION
from infra.dependencies import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
HEADER = ("", "Riel", "bare boto3", "ratio or count", "target")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Row:
    """One line of the result. A `limit` makes it a target: `value` must not be above it."""

    what: str
    ours: str
    bare: str
    value: float | None = None
    limit: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the target is met; a line without one always is."""
        return self.value is None or self.limit is None or self.value <= self.limit

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, ours, bare, ratio or value, target: as text."""
        value = "" if self.value is None else f"{self.value:.2f}"
        limit = "" if self.limit is None else f"at most {self.limit:g}"
        return self.what, self.ours, self.bare, value, limit if self.is_met else f"{limit}: MISSED"


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(*HEADER, title="API function, median CPU")
    for row in rows:
        table.add_row(*row.cells(), style=None if row.is_met else "red")
    Console().print(table)


def write(rows: list[Row]) -> None:
    """Renew the table of the document."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    cells = [HEADER, ("---",) * len(HEADER), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    where = f"Python {VERSION}, {platform.system()} {platform.machine()}; medians."
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n\n{where}\n{END}{after}")
