"""`riel refunds resolve`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import refund_screens
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.stage_access import LOCAL, open_stage
from infra.names import command
from riel.domain.refund import RefundStatus
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.resolve_refund import DECISIONS, resolve_refund

app = new_group(help="Decide refunds; `payments show` shows them.")


@app.callback()
def refunds() -> None:
    """Decide refunds; `payments show` shows them."""


@app.command()
def resolve(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT_ID")],
    refund_id: Annotated[str, typer.Argument(metavar="REFUND_ID")],
    decision: Annotated[str, typer.Option("--as", metavar="completed|failed")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Decide a refund in review, after you have settled it with the PSP; its merchant is told."""
    if decision not in DECISIONS:
        raise UsageError(
            f"A refund can not be resolved as {decision!r}.", "Say completed or failed."
        )
    access = open_stage(stage)
    subject = payment_id, refund_id, RefundStatus(decision)
    try:
        after = resolve_refund(access.app, *subject, access.operator(), reason)
    except InvalidRequestError as error:
        raise UsageError(f"The {error}.", "Say why with --reason.") from None
    except (NotFoundError, InvalidStateError) as error:
        look = f"Look at it with: {command()} payments show {payment_id}{stage_option(stage)}"
        raise OperatorError(f"Nothing was changed: {error}.", look) from None
    if as_json:
        print_json(refund_screens.refund_document(after))
    else:
        console().print(refund_screens.refunds_table([after]))
