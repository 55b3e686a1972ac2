"""How payments look: on a screen, and as JSON in the API's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.durations import after_time, day_and_time, precise
from infra.cli.output import new_table, styled
from infra.cli.payment_facts import facts, operators_fields
from infra.cli.quarantine_screens import put_aside_document
from infra.cli.refund_screens import refund_document, refunds_table
from infra.cli.webhook_screens import delivery_document, print_deliveries
from riel.domain.instants import to_text
from riel.domain.payment import Payment, Transition
from riel.domain.refund import Refund
from riel.ids import mode
from riel.services.list_deliveries import ToldEvent
from riel.services.read_payment import payment_view
from riel.store.quarantine import PutAside


def payment_document(
    payment: Payment,
    deliveries: Sequence[ToldEvent] | None = None,
    refunds: Sequence[Refund] | None = None,
    quarantined: Sequence[PutAside] | None = None,
) -> dict[str, Any]:
    """Return a payment as the API shows it, with what only an operator sees added."""
    document = {**payment_view(payment), **operators_fields(payment)}
    for shown, line in zip(document["history"], payment.history, strict=True):
        if line.note:
            shown["note"] = line.note
    if refunds is not None:
        document["refunds"] = [refund_document(refund) for refund in refunds]
    if deliveries is not None:
        document["deliveries"] = [delivery_document(told) for told in deliveries]
    if quarantined is not None:
        document["quarantined"] = [put_aside_document(letter) for letter in quarantined]
    return document


def print_payment(
    out: Console,
    payment: Payment,
    deliveries: Sequence[ToldEvent],
    refunds: Sequence[Refund] = (),
    quarantined: Sequence[PutAside] = (),
) -> None:
    """Print one payment: what it is, its history with durations, its refunds, its webhooks."""
    out.print(_headline(payment))
    for name, value in facts(payment, quarantined):
        out.print(Text.assemble((f"  {name:<12} ", "dim"), value), soft_wrap=True)
    out.print()
    out.print(_history(payment))
    if refunds:
        out.print()
        out.print(refunds_table(refunds))
    if payment.webhook_url:
        out.print()
        print_deliveries(out, payment.webhook_url, deliveries)


def payments_table(payments: Sequence[Payment]) -> Table:
    """Lay out payments, one in a line."""
    table = new_table("Payment", "Amount", "Status", "Created (UTC)", "Took", right=("Amount",))
    for payment in payments:
        table.add_row(
            Text(payment.payment_id, no_wrap=True),
            f"{payment.amount} {payment.amount.currency}",
            status_words(payment),
            Text(day_and_time(payment.created_at)[5:19], no_wrap=True),
            Text(_took(payment), no_wrap=True),
        )
    return table


def print_change(payment: Payment) -> None:
    """Print one payment's present state as one line."""
    at = to_text(payment.history[-1].at)
    amount = f"{payment.amount} {payment.amount.currency}"
    print(f"{at}  {payment.payment_id}  {status_words(payment)}  {amount}", flush=True)


def status_words(payment: Payment) -> Text:
    """Write the status, with what makes it remarkable."""
    words = styled(payment.status)
    if payment.failure:
        words.append(f" {payment.failure.code}", style="dim")
    if payment.refunded_minor:
        is_whole = payment.refunded_minor >= payment.received_minor
        words.append(" refunded" if is_whole else " refunded in part", style="dim")
    if payment.attention:
        words.append(f" {payment.attention}", style="red")
    return words


def _headline(payment: Payment) -> Text:
    return Text.assemble(
        (payment.payment_id, "bold"),
        "  ",
        styled(payment.status),
        f"  {payment.amount} {payment.amount.currency}",
        (f"  {payment.method} · {payment.gateway} · {mode(payment.livemode)}", "dim"),
    )


def _history(payment: Payment) -> Table:
    table = new_table("#", "Status", "At (UTC)", "After", "Cause", right=("After",))
    before: Transition | None = None
    for line in payment.history:
        table.add_row(
            str(line.sequence),
            styled(line.status),
            Text(after_time(before.at if before else None, line.at), no_wrap=True),
            f"+{precise(line.at - before.at)}" if before else "",
            f"{line.cause} ({line.note})" if line.note else line.cause,
        )
        before = line
    if payment.is_final:
        table.add_row("", Text("in all", style="dim"), "", _took(payment), "")
    return table


def _took(payment: Payment) -> str:
    if not payment.is_final:
        return ""
    return precise(payment.history[-1].at - payment.created_at)
