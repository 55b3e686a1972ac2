"""`riel payments show | list | watch | resolve | acknowledge`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from infra.cli import payment_screens
from infra.cli.durations import parse_day
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.recent_payments import RecentPayments
from infra.cli.stage_access import DEMO_MERCHANT, LOCAL, StageAccess, open_stage
from infra.cli.watching import watch_lines, watch_screen
from infra.names import command
from riel.domain.money import Money
from riel.domain.payment import Payment, Status
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.ids import looks_like
from riel.services.acknowledge_payment import acknowledge_payment
from riel.services.list_deliveries import told_events
from riel.services.resolve_payment import DECISIONS, resolve_payment
from riel.store.whole_payments import WholePayment

app = new_group(help="Look at payments.")

MerchantOption = Annotated[
    str, typer.Option(metavar="ID", help="Whose payments; on the local stage `demo`.")
]
LiveOption = Annotated[bool, typer.Option("--live", help="Live mode instead of test mode.")]
DayOption = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="One UTC day only.")]


@app.command()
def show(
    payment_id: Annotated[str, typer.Argument(metavar="ID")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Show one payment with its whole history, its refunds and its webhooks."""
    access = open_stage(stage)
    whole = whole_payment(access, payment_id)
    deliveries = told_events(whole, access.app.clock())
    quarantined = access.quarantined(payment_id)
    about = whole.payment, deliveries, whole.refunds, quarantined
    if as_json:
        print_json(payment_screens.payment_document(*about))
    else:
        payment_screens.print_payment(console(), *about)


@app.command("list")
def list_payments(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    merchant: MerchantOption = "",
    day: DayOption = "",
    live: LiveOption = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """List a merchant's payments, newest first; a new one may show up a second late."""
    recent = _recent(stage, merchant, day, live)
    found = recent.read(limit + 1)
    payments = found[:limit]
    if as_json:
        documents = [payment_screens.payment_document(payment) for payment in payments]
        print_json({"data": documents, "has_more": len(found) > limit})
    elif payments:
        console().print(payment_screens.payments_table(payments))
    else:
        when = f" on {day}" if day else ""
        print(f"{recent.merchant} has no payments{when}.")


@app.command()
def watch(
    limit: Annotated[int, typer.Option(min=1, max=200)] = 15,
    merchant: MerchantOption = "",
    live: LiveOption = False,
    seconds: Annotated[float, typer.Option(min=0, help="End by itself after so long.")] = 0,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Follow a merchant's payments as they move, until Ctrl-C."""
    recent = _recent(stage, merchant, "", live)
    try:
        if as_json:
            watch_lines(recent, limit, seconds, _print_document)
        elif console().is_terminal:
            watch_screen(recent, limit, seconds)
        else:
            watch_lines(recent, limit, seconds, payment_screens.print_change)
    except KeyboardInterrupt:
        return


@app.command()
def resolve(
    payment_id: Annotated[str, typer.Argument(metavar="ID")],
    decision: Annotated[str, typer.Option("--as", metavar="completed|failed")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    received: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="What came of it, where that is not its amount.",
        ),
    ] = None,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Decide a payment in review, after you have settled it with the PSP; its merchant is told."""
    if decision not in DECISIONS:
        raise UsageError(
            f"A payment can not be resolved as {decision!r}.", "Say completed or failed."
        )
    access = open_stage(stage)
    decided = Status(decision), access.operator(), reason, received
    try:
        after = resolve_payment(access.app, payment_id, *decided)
    except InvalidRequestError as error:
        raise _not_decided(error) from None
    except NotFoundError:
        raise absent_payment(payment_id, stage) from None
    except InvalidStateError as error:
        raise unchanged_payment(error, payment_id, stage) from None
    if as_json:
        print_json(payment_screens.payment_document(after))
    else:
        payment_screens.print_payment(console(), after, ())
        print(f"\nRecorded: {_recorded(after)}.")


@app.command()
def acknowledge(
    payment_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with your name.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Say that what needed attention is dealt with; `riel reviews` lists the payment no more."""
    access = open_stage(stage)
    try:
        after = acknowledge_payment(access.app, payment_id, access.operator(), reason)
    except InvalidRequestError as error:
        raise UsageError(f"The {error}.", "Say why with --reason.") from None
    except NotFoundError:
        raise absent_payment(payment_id, stage) from None
    except InvalidStateError as error:
        raise unchanged_payment(error, payment_id, stage) from None
    if as_json:
        print_json(payment_screens.payment_document(after))
    else:
        print(f"{payment_id}: {after.acknowledged[-1].what} is acknowledged.")


def whole_payment(access: StageAccess, payment_id: str) -> WholePayment:
    """Read a payment with all that lies beside it; raises OperatorError for an unknown one."""
    if not looks_like("pay", payment_id):
        raise OperatorError(
            f"{payment_id!r} is not a payment's id.",
            "Ids look like pay_ and 26 letters and digits.",
        )
    whole = access.app.whole_payments.get(payment_id)
    if whole is None:
        raise absent_payment(payment_id, access.stage)
    return whole


def absent_payment(payment_id: str, stage: str) -> OperatorError:
    """Say that there is no such payment, and how to find the one that was meant."""
    return OperatorError(
        f"There is no payment {payment_id} on the stage {stage}.",
        f"List what is there with: {command()} payments list{stage_option(stage)}",
    )


def unchanged_payment(error: InvalidStateError, payment_id: str, stage: str) -> OperatorError:
    """Say that the payment, or its refund, stands where this can not be done."""
    return OperatorError(
        f"Nothing was changed: {error}.",
        f"Look at it with: {command()} payments show {payment_id}{stage_option(stage)}",
    )


def _not_decided(error: InvalidRequestError) -> UsageError:
    (problem,) = error.problems
    if problem.field == "received":
        return UsageError(
            f"Nothing was changed: {problem.message}.", "Say what came with --received AMOUNT."
        )
    return UsageError(f"The {error}.", "Say why with --reason.")


def _recorded(payment: Payment) -> str:
    if payment.status is Status.FAILED:
        return "failed; a charge at the PSP, if there is one, stays for you to refund there"
    received = Money(payment.received_minor, payment.amount.currency)
    told = payment.history[-2].note
    contrast = f"; the review began because: {told}" if told else ""
    return f"completed, {received} {received.currency} received{contrast}"


def _print_document(payment: Payment) -> None:
    print(json.dumps(payment_screens.payment_document(payment), ensure_ascii=False), flush=True)


def _recent(stage: str, merchant: str, day: str, live: bool) -> RecentPayments:
    if not merchant and stage != LOCAL:
        raise UsageError("Say whose payments.", "Add --merchant ID.")
    only_day = parse_day(day) if day else ""
    access = open_stage(stage)
    return RecentPayments(access.app, merchant or DEMO_MERCHANT, live, only_day)
