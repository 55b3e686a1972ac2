"""How kill switches look: on a screen, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.output import new_table
from riel.domain.instants import to_text
from riel.services.switches import READ_EVERY_SECONDS
from riel.store.switches import Switch


def switch_document(name: str, switch: Switch | None) -> dict[str, Any]:
    """Return one switch; who, why and when are null where it was never set."""
    return {
        "name": name,
        "state": _state(switch),
        "who": switch.who if switch else None,
        "why": switch.why if switch else None,
        "at": to_text(switch.at) if switch else None,
    }


def switches_table(switches: Mapping[str, Switch | None]) -> Table:
    """Lay out all switches, one in a line."""
    table = new_table("Switch", "State", "Since (UTC)", "Set by", "Why")
    for name, switch in switches.items():
        state = _state(switch)
        table.add_row(
            name,
            Text(state, style="bold red" if state == "off" else "green"),
            Text(to_text(switch.at)[:16].replace("T", " ") if switch else "", no_wrap=True),
            Text(switch.who if switch else ""),
            Text(switch.why if switch else "never set"),
        )
    return table


def print_set(name: str, switch: Switch, unserved: Sequence[str]) -> None:
    """Print what was decided, from when on it holds, and what is left without a gateway."""
    effect = "takes new payments again" if switch.is_on else "takes no new payments"
    print(f"{name} is {_state(switch)}: it {effect}, within {READ_EVERY_SECONDS} seconds.")
    if unserved:
        print(unserved_words(unserved))


def unserved_words(unserved: Sequence[str]) -> str:
    """Say whose new payments are refused."""
    methods = ", ".join(unserved)
    return f"No gateway is left for {methods}: new payments are refused, 503 method_unavailable."


def _state(switch: Switch | None) -> str:
    return "on" if switch is None or switch.is_on else "off"
