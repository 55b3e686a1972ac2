"""How the demo looks: a table that fills from left to right, or a line for each change."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Group
from rich.table import Table
from rich.text import Text

from infra.cli.demo.orders import Row
from infra.cli.demo.pipeline import Pipeline
from infra.cli.durations import precise

WIDE = 112
"""From this width on the ids are shown too."""
_NARROW = 88


def demo_table(pipeline: Pipeline, width: int) -> Group:
    """Draw all payments, the dead-letter queue and its alarm."""
    table = Table(
        box=None,
        padding=(0, 1 if width < _NARROW else 2, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    if width >= WIDE:
        table.add_column(_head("Payment", ""), no_wrap=True)
    table.add_column(_head("Card token", ""), no_wrap=True)
    table.add_column(_head("Amount", ""), justify="right", no_wrap=True)
    # Widths are fixed, so that nothing jumps while the cells fill.
    table.add_column(_head("Accepted", "API"), no_wrap=True, width=8)
    table.add_column(_head("Relayed", "stream+SQS"), no_wrap=True, width=10)
    table.add_column(_head("Decided", "worker, PSP"), no_wrap=True, width=16)
    table.add_column(_head("Webhook", "signature"), no_wrap=True, width=15)
    for row in pipeline.rows:
        cells = _cells(row)
        table.add_row(*([row.payment_id, *cells] if width >= WIDE else cells))
    return Group(table, "", _alarm_line(pipeline))


def milestones(row: Row) -> list[str]:
    """Tell what has happened to a payment so far, in order; the list only grows."""
    if row.problem:
        return [f"not accepted: {row.problem}"]
    told: list[str] = []
    if row.accepted_in:
        told.append(f"202 accepted in {precise(row.accepted_in)}")
    if relayed := row.step(2):
        told.append(f"relayed by stream and queue in {precise(relayed)}")
    if row.is_dead_letter:
        told.append("dead letter: its message is in the queue payments-dlq")
    elif (decided := row.step(3)) is not None:
        why = f" ({row.failure})" if row.failure else ""
        told.append(f"{row.status}{why} in {precise(decided)}")
    after = row.webhook_after()
    if row.is_decided and row.webhook and after is not None:
        verdict = "signature verified" if row.webhook.is_verified else "SIGNATURE WRONG"
        told.append(f"webhook {row.webhook.type} after {precise(after)}, {verdict}")
    return told


def _head(name: str, through: str) -> Text:
    return Text.assemble((name, "bold"), "\n", (through, "dim not bold"))


def _cells(row: Row) -> list[Text | str]:
    return [
        row.order.token,
        f"{row.order.amount} {row.order.currency}",
        _accepted(row),
        _relayed(row),
        _decided(row),
        _webhook(row),
    ]


def _accepted(row: Row) -> Text:
    if row.problem:
        return Text(row.problem, style="red")
    return Text(_seconds(row.accepted_in)) if row.accepted_in else Text("")


def _relayed(row: Row) -> Text:
    relayed = row.step(2)
    if relayed is not None:
        return Text(_seconds(relayed))
    return _waiting(bool(row.payment_id), "in outbox")


def _decided(row: Row) -> Text:
    if row.is_dead_letter:
        return Text("dead letter", style="bold red")
    decided = row.step(3)
    if decided is None:
        return _waiting(row.status == "processing", "processing")
    style = "green" if row.status == "completed" else "red"
    return Text.assemble((row.status, style), f" {_seconds(decided)}")


def _webhook(row: Row) -> Text:
    after = row.webhook_after()
    if row.webhook is None or after is None or not row.is_decided:
        return _waiting(row.is_decided and not row.is_dead_letter and not row.problem, "sending")
    if not row.webhook.is_verified:
        return Text("WRONG", style="bold red")
    return Text.assemble(("verified", "green"), f" {_seconds(after)}")


def _waiting(is_here: bool, words: str) -> Text:
    return Text(words if is_here else "", style="yellow" if is_here else "")


def _alarm_line(pipeline: Pipeline) -> Text:
    style = "bold red" if pipeline.alarm == "ALARM" else "green"
    count = pipeline.dead_letters
    letters = "no dead letter" if count == 0 else f"{count} dead letter" + "s" * (count > 1)
    return Text.assemble(
        "CloudWatch alarm ",
        pipeline.alarm_name,
        "  ",
        (pipeline.alarm or "-", style),
        (f"  {letters}  {pipeline.seconds:.1f} s", "dim"),
    )


def _seconds(span: timedelta) -> str:
    """In one unit, so that a column can be compared by eye."""
    return f"{span.total_seconds():.2f} s"
