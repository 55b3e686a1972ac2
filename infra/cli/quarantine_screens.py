"""How dead letters in quarantine look: on a screen and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.durations import age
from infra.cli.output import new_table
from riel.domain.instants import to_text
from riel.services.quarantine_dead_letters import Quarantined
from riel.store.quarantine import PutAside


def put_aside_document(letter: PutAside) -> dict[str, Any]:
    """Return a letter in quarantine as JSON, with its message."""
    return {
        "queue": letter.queue,
        "message_id": letter.message_id,
        "payment_ids": list(letter.payment_ids),
        "cause": letter.cause,
        "reason": letter.reason,
        "by": letter.by,
        "at": to_text(letter.at),
        "sent_at": to_text(letter.sent_at),
        "receives": letter.receives,
        "body": letter.body,
    }


def put_aside_table(letters: Sequence[PutAside], now: datetime) -> Table:
    """Lay out letters in quarantine, one in a line."""
    table = new_table("Message", "Payment", "Cause", "Reason", "By", "Age", right=("Age",))
    for letter in letters:
        table.add_row(
            Text(letter.message_id, no_wrap=True),
            Text(", ".join(letter.payment_ids) or "(no payment)"),
            # Before the colon stands the stable code; the whole is in the JSON.
            letter.cause.split(": ", 1)[0],
            Text(letter.reason),
            Text(letter.by),
            age(now - letter.at),
        )
    return table


def quarantined_document(queue: str, done: Quarantined, dry_run: bool) -> dict[str, Any]:
    """Return what was put aside as JSON; with `dry_run`, what would be."""
    return {
        "queue": queue,
        "dry_run": dry_run,
        "quarantined": [letter.message_id for letter in done.letters],
        "left": [{"message_id": message, "reason": reason} for message, reason in done.left],
    }


def print_quarantined(queue: str, done: Quarantined, dry_run: bool) -> None:
    """Print what was put aside."""
    if not (done.letters or done.left):
        print(f"No such dead letters of {queue}.")
        return
    verb = "would be put into quarantine" if dry_run else "put into quarantine"
    print(f"{queue}: {len(done.letters)} {verb}.")
    for letter in done.letters:
        about = ", ".join(letter.payment_ids) or "(no payment)"
        print(f"{letter.message_id}: {about}: {letter.reason}")
    for message, reason in done.left:
        print(f"left: {message}: {reason}")
