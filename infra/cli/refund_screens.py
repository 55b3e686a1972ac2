"""How refunds look: on a screen, and as JSON in the API's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from infra.cli.output import new_table, styled
from riel.domain.instants import to_text
from riel.domain.payment import Payment
from riel.domain.refund import Refund
from riel.ids import refund_key
from riel.services.read_refunds import refund_view


def refund_document(refund: Refund) -> dict[str, Any]:
    """Return a refund as the API shows it, with what only an operator sees added."""
    document = refund_view(refund)
    document["gateway_reference"] = refund.gateway_reference
    document["gateway_key"] = refund_key(refund.refund_id, refund.gateway)
    document["attention"] = refund.attention
    document["attention_reason"] = refund.attention_reason
    document["acknowledged"] = acknowledged_documents(refund)
    for shown, line in zip(document["history"], refund.history, strict=True):
        if line.note:
            shown["note"] = line.note
    return document


def acknowledged_documents(item: Payment | Refund) -> list[dict[str, str]]:
    """Return what operators have acknowledged of a payment or a refund."""
    return [
        {"what": done.what, "who": done.who, "why": done.why, "at": to_text(done.at)}
        for done in item.acknowledged
    ]


def refunds_table(refunds: Sequence[Refund]) -> Table:
    """Lay out a payment's refunds, each with its id at the PSP."""
    table = new_table("Refund", "Amount", "Status", "Created (UTC)", "Reason", right=("Amount",))
    for refund in refunds:
        at_psp = refund.gateway_reference or refund_key(refund.refund_id, refund.gateway)
        table.add_row(
            # Below it the PSP's id, or ours for it: side by side both would be cut.
            Text(refund.refund_id).append(f"\n{at_psp}", style="dim"),
            f"{refund.amount} {refund.amount.currency}",
            _status_words(refund),
            Text(to_text(refund.created_at)[5:19].replace("T", " "), no_wrap=True),
            Text(refund.reason),
        )
    return table


def _status_words(refund: Refund) -> Text:
    """Write the status, with what makes it remarkable."""
    words = styled(refund.status)
    if refund.failure:
        words.append(f" {refund.failure.code}", style="dim")
    if refund.history[-1].note:
        words.append(f" ({refund.history[-1].note})", style="dim")
    if refund.attention:
        reason = f": {refund.attention_reason}" if refund.attention_reason else ""
        words.append(f" {refund.attention}{reason}", style="red")
    return words
