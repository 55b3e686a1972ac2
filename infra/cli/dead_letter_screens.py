"""How dead letters look: on a screen and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.durations import age
from infra.cli.options import stage_option
from infra.cli.output import new_table, styled
from infra.names import command
from riel.domain.instants import to_text
from riel.services.dead_letters import DeadLetter
from riel.services.redrive_dead_letters import Redriven


def letter_document(letter: DeadLetter, now: datetime, *, whole: bool = False) -> dict[str, Any]:
    """Return a dead letter as JSON; `whole` adds the message itself."""
    document: dict[str, Any] = {
        "queue": letter.queue,
        "message_id": letter.message_id,
        "payment_id": letter.payment_ids[0] if letter.payment_ids else None,
        "payment_ids": list(letter.payment_ids),
        "payment_status": letter.payment.status if letter.payment else None,
        "attention": letter.payment.attention if letter.payment else None,
        "reason": letter.reason,
        "about": letter.about or None,
        "receives": letter.receives,
        "sent_at": to_text(letter.sent_at),
        "age_seconds": round((now - letter.sent_at).total_seconds()),
    }
    if whole:
        document["body"] = letter.body
    return document


def letters_table(letters: Sequence[DeadLetter], now: datetime) -> Table:
    """Lay out dead letters of several queues, one in a line."""
    table = new_table("Queue", "Payment", "Reason", "Age", right=("Age",))
    for letter in letters:
        table.add_row(
            Text(letter.queue, no_wrap=True),
            # Several letters of one payment are told apart by what of it they are about.
            Text(f"{_payments(letter)}\n{letter.part}".rstrip(), no_wrap=True),
            # Before the colon stands the stable code; the whole is in `dlq show`.
            letter.reason.split(": ", 1)[0],
            age(now - letter.sent_at),
        )
    return table


def print_letters(
    out: Console, stage: str, queue: str, letters: Sequence[DeadLetter], now: datetime
) -> None:
    """Print each dead letter of one queue with all that is known of it."""
    count = "1 dead letter" if len(letters) == 1 else f"{len(letters)} dead letters"
    out.print(Text.assemble((queue, "bold"), f"  {count}"))
    for letter in letters:
        out.print()
        _print_letter(out, letter, now)
    redrive = f"{command()} dlq redrive {queue}{stage_option(stage)}"
    out.print(f"\nSend back with: {redrive}", style="dim")


def _print_letter(out: Console, letter: DeadLetter, now: datetime) -> None:
    out.print(Text(_payments(letter), style="bold"), soft_wrap=True)
    for name, value in _facts(letter, now):
        line = Text(f"  {name:<9}", style="dim")
        line.append_text(value if isinstance(value, Text) else Text(value, style="not dim"))
        out.print(line, soft_wrap=True)


def _facts(letter: DeadLetter, now: datetime) -> list[tuple[str, str | Text]]:
    facts: list[tuple[str, str | Text]] = []
    if payment := letter.payment:
        state = styled(payment.status)
        state.append(f" since {to_text(payment.history[-1].at)}")
        facts.append(("status", state))
        facts.append(("amount", f"{payment.amount} {payment.amount.currency}"))
        facts.append(("merchant", payment.merchant_id))
    if letter.about:
        facts.append(("about", letter.about))
    facts.append(("reason", letter.reason))
    sent = f"{to_text(letter.sent_at)}, {age(now - letter.sent_at)} ago"
    facts.append(("sent", f"{sent}; receives, looks included: {letter.receives}"))
    facts.append(("message", letter.message_id))
    return facts


def _payments(letter: DeadLetter) -> str:
    if not letter.payment_ids:
        return "(no payment)"
    more = len(letter.payment_ids) - 1
    return letter.payment_ids[0] + (f" +{more}" if more else "")


def redriven_document(queue: str, done: Redriven, dry_run: bool) -> dict[str, Any]:
    """Return what a redrive did as JSON; with `dry_run`, `redriven` counts what would be sent."""
    return {
        "queue": queue,
        "dry_run": dry_run,
        "redriven": done.sent,
        "younger": done.younger,
        "again": done.again,
        "left": [{"message_id": message, "reason": reason} for message, reason in done.left],
    }


def print_redriven(queue: str, done: Redriven, dry_run: bool) -> None:
    """Print what a redrive did."""
    verb = "would be sent back" if dry_run else "sent back"
    print(f"{queue}: {done.sent} {verb}.")
    if done.younger:
        print(f"{done.younger} younger than --older-than: left where they are.")
    if done.again:
        print(f"{done.again} repeat what was sent back in this run: left where they are.")
    for message, reason in done.left:
        print(f"left: {message}: {reason}")
