"""How payments look: on a screen, and as JSON in the API's shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.durations import precise
from infra.cli.output import new_table, styled
from infra.cli.refund_screens import refund_document, refunds_table
from riel.domain.instants import to_text
from riel.domain.money import Money
from riel.domain.payment import Payment, Status, Transition
from riel.domain.refund import Refund
from riel.ids import mode
from riel.services.read_payment import payment_view
from riel.store.deliveries import Attempt, Delivery


def payment_document(
    payment: Payment,
    deliveries: Sequence[Delivery] | None = None,
    refunds: Sequence[Refund] | None = None,
) -> dict[str, Any]:
    """Return a payment as the API shows it, with what only an operator sees added."""
    document = payment_view(payment)
    document["merchant_id"] = payment.merchant_id
    document["attention_reason"] = payment.attention_reason
    for shown, line in zip(document["history"], payment.history, strict=True):
        if line.note:
            shown["note"] = line.note
    if refunds is not None:
        document["refunds"] = [refund_document(refund) for refund in refunds]
    if deliveries is not None:
        document["deliveries"] = [_delivery_document(delivery) for delivery in deliveries]
    return document


def print_payment(
    out: Console,
    payment: Payment,
    deliveries: Sequence[Delivery],
    refunds: Sequence[Refund] = (),
) -> None:
    """Print one payment: what it is, its history with durations, its refunds, its webhooks."""
    out.print(_headline(payment))
    for name, value in _facts(payment):
        out.print(Text.assemble((f"  {name:<12}", "dim"), value), soft_wrap=True)
    out.print()
    out.print(_history(payment))
    if refunds:
        out.print()
        out.print(refunds_table(refunds))
    if payment.webhook_url:
        out.print()
        _print_deliveries(out, payment, deliveries)


def payments_table(payments: Sequence[Payment]) -> Table:
    """Lay out payments, one in a line."""
    table = new_table("Payment", "Amount", "Status", "Created (UTC)", "Took", right=("Amount",))
    for payment in payments:
        table.add_row(
            Text(payment.payment_id, no_wrap=True),
            f"{payment.amount} {payment.amount.currency}",
            status_words(payment),
            Text(_day_and_time(payment.created_at)[5:19], no_wrap=True),
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


def _facts(payment: Payment) -> list[tuple[str, str]]:
    facts = [
        ("description", payment.description),
        ("merchant", payment.merchant_id),
        ("key", payment.idempotency_key),
        ("reference", payment.reference or ""),
        ("metadata", ", ".join(f"{k}={v}" for k, v in payment.metadata.items())),
        ("PSP's id", payment.gateway_reference or ""),
    ]
    if payment.failure:
        facts.append(("failure", f"{payment.failure.code}: {payment.failure.message}"))
    facts += _money_facts(payment)
    if payment.status == Status.PROCESSING:
        lost = f", {payment.unknown_outcomes} answers lost" if payment.unknown_outcomes else ""
        facts.append(("waiting", f"taken up {payment.fence} times{lost}"))
    action = payment.next_action
    if action and payment.status == Status.AWAITING_PAYMENT:
        until = f"until {_day_and_time(action.expires_at)[:19]} UTC"
        facts.append(("payer has to", f"{action.type} {action.reference or action.clabe}, {until}"))
    if payment.attention:
        reason = f": {payment.attention_reason}" if payment.attention_reason else ""
        facts.append(("attention", payment.attention + reason))
    return [(name, value) for name, value in facts if value]


def _money_facts(payment: Payment) -> list[tuple[str, str]]:
    """What came and went, where that is not simply the amount."""
    currency = payment.amount.currency
    reserved = payment.reserved_minor - payment.refunded_minor
    amounts = (
        (
            "received",
            payment.received_minor if payment.received_minor != payment.amount.minor else 0,
        ),
        ("refunded", payment.refunded_minor),
        ("refunding", reserved),
    )
    return [(name, f"{Money(minor, currency)} {currency}") for name, minor in amounts if minor]


def _history(payment: Payment) -> Table:
    table = new_table("#", "Status", "At (UTC)", "After", "Cause", right=("After",))
    before: Transition | None = None
    for line in payment.history:
        table.add_row(
            str(line.sequence),
            styled(line.status),
            Text(_day_and_time(line.at) if before is None else _time(line.at), no_wrap=True),
            f"+{precise(line.at - before.at)}" if before else "",
            f"{line.cause} ({line.note})" if line.note else line.cause,
        )
        before = line
    if payment.is_final:
        table.add_row("", Text("in all", style="dim"), "", _took(payment), "")
    return table


def _print_deliveries(out: Console, payment: Payment, deliveries: Sequence[Delivery]) -> None:
    out.print(Text.assemble(("Webhooks", "bold"), f" to {payment.webhook_url}"), soft_wrap=True)
    if not deliveries:
        told = "none was sent yet" if payment.sequence > 2 else "sent when the payment is decided"
        out.print(Text(f"  {told}", style="dim"))
    for delivery in deliveries:
        count = len(delivery.attempts)
        tries = "1 attempt" if count == 1 else f"{count} attempts"
        out.print(Text.assemble(f"  {delivery.type}  ", styled(delivery.state), f"  {tries}"))
        for number, attempt in enumerate(delivery.attempts, start=1):
            out.print(f"    {number:>2}  {_attempt_line(attempt)}")


def _attempt_line(attempt: Attempt) -> str:
    at = _time(datetime.fromisoformat(attempt.at))
    answer = f"HTTP {attempt.status}" if attempt.status else attempt.error
    return f"{at}  {answer}  {attempt.latency_ms} ms"


def _delivery_document(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.event_id,
        "type": delivery.type,
        "url": delivery.url,
        "state": delivery.state,
        "attempts": [
            {
                "at": attempt.at,
                "status": attempt.status,
                "latency_ms": attempt.latency_ms,
                "error": attempt.error,
            }
            for attempt in delivery.attempts
        ],
    }


def _took(payment: Payment) -> str:
    if not payment.is_final:
        return ""
    return precise(payment.history[-1].at - payment.created_at)


def _day_and_time(at: datetime) -> str:
    return to_text(at).replace("T", " ").removesuffix("Z")


def _time(at: datetime) -> str:
    return _day_and_time(at)[11:]
