"""How PSPs' events look to an operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.output import new_table
from riel.domain.instants import to_text
from riel.store.inbox import InboxEvent


def event_document(event: InboxEvent) -> dict[str, Any]:
    """Write an event for programs."""
    return {
        "id": event.inbox_id,
        "gateway": event.gateway,
        "event_id": event.event_id,
        "type": event.type,
        "state": str(event.state),
        "done": event.done,
        "payment_id": event.payment_id or None,
        "refund_id": event.refund_id or None,
        "livemode": event.livemode,
        "at": to_text(event.at) if event.at else None,
        "received_at": to_text(event.received_at),
        "body": {
            "size": event.body.size,
            "sha256": event.body.sha256,
            "encoding": event.body.encoding or None,
            "text": event.body.text or None,
        },
    }


def events_table(events: Sequence[InboxEvent]) -> Table:
    """Show events, one a line."""
    table = new_table("Event", "Received (UTC)", "Gateway", "Type", "State", "About")
    for event in events:
        about = event.refund_id or event.payment_id or "nothing of ours"
        table.add_row(
            event.inbox_id,
            f"{event.received_at:%Y-%m-%d %H:%M:%S}",
            event.gateway,
            Text(_printable(event.type)),
            str(event.state),
            Text(_printable(about)[:40]),
        )
    return table


def print_event(on: Console, event: InboxEvent) -> None:
    """Show one event with its body, as far as that was kept."""
    on.print(events_table([event]))
    if event.done:
        on.print(Text(_printable(f"Outcome: {event.done}")))
    kept = "not kept" if not event.body.encoding else event.body.encoding
    on.print(f"Body: {event.body.size} bytes, sha256 {event.body.sha256}, {kept}", markup=False)
    if event.body.text:
        on.print(Text(_printable(event.body.text)), soft_wrap=True)


def _printable(sent: str) -> str:
    """What others wrote may move no cursor and change no colour."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in sent)
