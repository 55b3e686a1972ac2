"""`riel refunds resolve | acknowledge`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import refund_screens
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.payments import absent_payment, unchanged_payment
from infra.cli.stage_access import LOCAL, StageAccess, open_stage
from infra.names import command
from riel.domain.refund import RefundStatus
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services.acknowledge_payment import acknowledge_refund
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
    except NotFoundError:
        raise _absent(access, payment_id, refund_id, stage) from None
    except InvalidStateError as error:
        raise unchanged_payment(error, payment_id, stage) from None
    if as_json:
        print_json(refund_screens.refund_document(after))
    else:
        console().print(refund_screens.refunds_table([after]))


@app.command()
def acknowledge(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT_ID")],
    refund_id: Annotated[str, typer.Argument(metavar="REFUND_ID")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Say that what needed attention is dealt with; `riel reviews` lists the refund no more."""
    access = open_stage(stage)
    try:
        after = acknowledge_refund(access.app, payment_id, refund_id, access.operator(), reason)
    except InvalidRequestError as error:
        raise UsageError(f"The {error}.", "Say why with --reason.") from None
    except NotFoundError:
        raise _absent(access, payment_id, refund_id, stage) from None
    except InvalidStateError as error:
        raise unchanged_payment(error, payment_id, stage) from None
    if as_json:
        print_json(refund_screens.refund_document(after))
    else:
        print(f"{refund_id}: {after.acknowledged[-1].what} is acknowledged.")


def _absent(access: StageAccess, payment_id: str, refund_id: str, stage: str) -> OperatorError:
    """Say which of the two is unknown; the refunds that there are stand beside their payment."""
    if access.app.payments.get(payment_id) is None:
        return absent_payment(payment_id, stage)
    return OperatorError(
        f"The payment {payment_id} has no refund {refund_id}.",
        f"List what is there with: {command()} payments show {payment_id}{stage_option(stage)}",
    )
