"""`riel reviews`: what waits for a person, of all merchants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from infra.cli.durations import day_and_time
from infra.cli.errors import UsageError
from infra.cli.options import JsonOption, StageOption
from infra.cli.output import console, new_table, print_json, styled
from infra.cli.stage_access import LOCAL, open_stage
from infra.names import command
from riel.domain.instants import to_text
from riel.services.list_reviews import WHYS, Review, list_reviews


def reviews(
    why: Annotated[str, typer.Option(metavar="WHY", help=f"One of {', '.join(WHYS)}.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Of each of these.")] = 100,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """List payments and refunds that a person has to look at, of all merchants, oldest first."""
    if why and why not in WHYS:
        raise UsageError(f"Nothing waits for being {why!r}.", f"Say one of {', '.join(WHYS)}.")
    found = list_reviews(open_stage(stage).app, limit, why)
    if as_json:
        print_json({"data": [_document(review) for review in found]})
    elif found:
        console().print(_table(found))
        print(f"\nLook with `{command()} payments show`; then `resolve` it, or `acknowledge` it.")
    else:
        print("No payment and no refund waits for a person.")


def _document(review: Review) -> dict[str, Any]:
    return {
        "payment_id": review.payment_id,
        "refund_id": review.refund_id or None,
        "merchant_id": review.merchant_id,
        "gateway": review.gateway,
        "amount": str(review.amount),
        "currency": review.amount.currency,
        "why": review.why,
        "cause": review.cause,
        "told": review.told or None,
        "since": to_text(review.since),
    }


def _table(reviews: Sequence[Review]) -> Table:
    columns = ("Payment", "Why", "Since (UTC)", "Merchant", "Amount", "Cause")
    table = new_table(*columns, right=("Amount",))
    for review in reviews:
        told = f"{review.cause}: {review.told}" if review.told else review.cause
        if review.refund_id:
            told = f"{review.refund_id} {told}"
        table.add_row(
            Text(review.payment_id, no_wrap=True),
            styled(review.why),
            Text(day_and_time(review.since)[:16], no_wrap=True),
            Text(review.merchant_id),
            f"{review.amount} {review.amount.currency}",
            Text(told),
        )
    return table
