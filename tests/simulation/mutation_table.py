"""The table of docs/simulator-mutants.md: what each mutant is, what found it, and how soon."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.simulation.mutants import named
from tests.simulation.mutants.mutant import ROOT

DOCUMENT = ROOT / "docs/simulator-mutants.md"
_HEAD = (
    "| mutant | the mistake | what does not hold then | seeds | scenario: runs |",
    "| --- | --- | --- | --- | --- |",
)
_TABLE = re.compile(r"(?ms)^\| mutant \|.*?(?=^[^|]|\Z)")


def written(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the table's lines; a mutant's searches stand beside one another."""
    by_mutant: dict[str, list[Mapping[str, Any]]] = {}
    for verdict in verdicts:
        by_mutant.setdefault(verdict["mutant"], []).append(verdict)
    return [*_HEAD, *(_row(name, searches) for name, searches in by_mutant.items())]


def renew(verdicts: Sequence[Mapping[str, Any]]) -> None:
    """Put a new table into the document."""
    table = "\n".join(written(verdicts)) + "\n"
    DOCUMENT.write_text(_TABLE.sub(lambda _: table, DOCUMENT.read_text(), count=1))


def _row(name: str, searches: Sequence[Mapping[str, Any]]) -> str:
    seeds, alone = "", ""
    for search in searches:
        told = str(search["tried"]) if search["is_caught"] else f"not in {search['tried']}"
        if search["scenario"] == "mixed":
            seeds = told
        else:
            alone = f"`{search['scenario']}`: {told}"
    invariants = dict.fromkeys(one["invariant"] for one in searches if one["is_caught"])
    first = next(iter(invariants), "nothing")
    return f"| `{name}` | {named(name).mistake} | {first} | {seeds} | {alone} |"
