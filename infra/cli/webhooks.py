"""`riel webhooks deliveries | redeliver | endpoints | resume`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer

from infra.cli import webhook_screens
from infra.cli.durations import parse_instant
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.payments import whole_payment
from infra.cli.progress import Progress
from infra.cli.recent_payments import known_merchant
from infra.cli.stage_access import LOCAL, StageAccess, open_stage
from infra.names import command
from infra.stages import stage_named
from riel.clock import utc_now
from riel.domain.instants import to_text
from riel.errors import NotFoundError
from riel.services.list_deliveries import told_events
from riel.services.redeliver_range import (
    STATES,
    Redelivered,
    RedeliverOrder,
    redeliver_many,
    redeliver_range,
)
from riel.services.stopped_endpoints import list_stopped, missed_since, resume_endpoint
from riel.store.deliveries import FAILED
from riel.store.endpoints import CACHE_SECONDS
from riel.store.keys import OUTBOX_LIFE

app = new_group(help="See what merchants were told, and tell them again.")

ALL = "all"
PaymentArgument = Annotated[str, typer.Argument(metavar="PAYMENT_ID")]
MerchantOption = Annotated[str, typer.Option(metavar="ID", help="Of one merchant only.")]


@app.command()
def deliveries(
    payment_id: PaymentArgument, stage: StageOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Show every event of a payment, each attempt to deliver it, and what was answered."""
    access = open_stage(stage)
    whole = whole_payment(access, payment_id)
    found = told_events(whole, access.app.clock())
    if as_json:
        print_json({"data": [webhook_screens.delivery_document(told) for told in found]})
        return
    webhook_screens.print_deliveries(console(), whole.payment.webhook_url, found)
    if any(told.delivery.state == FAILED for told in found):
        options = f"{payment_id}{stage_option(stage)}"
        print(f"\nSend the failed ones again with: {command()} webhooks redeliver {options}")


@app.command()
def redeliver(  # noqa: PLR0913, PLR0917 - each is an option of the command
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT_ID", show_default=False)] = "",
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY_ID", show_default=False)] = "",
    start: Annotated[
        str, typer.Option("--from", metavar="T", help="Of a range: a UTC time, or 2h ago.")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="A UTC time, 5m ago, or now.")] = "",
    merchant: MerchantOption = "",
    url: Annotated[str, typer.Option(metavar="URL", help="To this exact URL only.")] = "",
    state: Annotated[
        str, typer.Option(metavar="STATE", help="failed, pending, delivered or all.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="Events a second.")] = 10,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Send webhooks again: one, the failed ones of a payment, or those of a range of time."""
    if bool(payment_id) == bool(start and end) or (
        payment_id and (start or end or merchant or url)
    ):
        raise UsageError(
            "Say which webhooks.", "Name a payment, or a range with --from T and --to T."
        )
    span = None if payment_id else _range(start, end)
    states = _states(state, is_one=bool(delivery_id))
    order = RedeliverOrder(states, merchant, url, dry_run, rate)
    access = open_stage(stage)
    if merchant:
        known_merchant(access.app, merchant)
    with Progress(enabled=not as_json) as progress:
        if span:
            done = redeliver_range(access.app, *span, order, _show(progress))
        else:
            done = _of_payment(access, payment_id, delivery_id, order, progress)
    if as_json:
        print_json(webhook_screens.redelivered_document(done, dry_run))
    else:
        webhook_screens.print_redelivered(done, dry_run)
    if done.left or done.unreadable:
        raise typer.Exit(1)


@app.command()
def endpoints(
    merchant: MerchantOption = "", stage: StageOption = LOCAL, as_json: JsonOption = False
) -> None:
    """List the endpoints that get nothing any more: whose they are, since when, and why."""
    access = open_stage(stage)
    if merchant:
        known_merchant(access.app, merchant)
    found = list_stopped(access.app, merchant)
    if as_json:
        print_json(webhook_screens.endpoints_document(found))
    elif found.endpoints:
        webhook_screens.print_endpoints(console(), found.endpoints, access.app.clock())
        if found.has_more:
            print(webhook_screens.more_endpoints(len(found.endpoints), merchant))
        resume_one = f"{command()} webhooks resume MERCHANT_ID URL{stage_option(stage)}"
        print(f"\nOpen one again with: {resume_one}")
    else:
        print("No endpoint is stopped.")


@app.command()
def resume(
    merchant_id: Annotated[str, typer.Argument(metavar="MERCHANT_ID")],
    url: Annotated[str, typer.Argument(metavar="URL", help="As `endpoints` shows it; quote it.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Open a stopped endpoint again; what failed meanwhile is sent when you ask for it."""
    access = open_stage(stage)
    try:
        before = resume_endpoint(access.app, merchant_id, url)
    except NotFoundError:
        raise OperatorError(
            f"{merchant_id} has no stopped endpoint {url}.",
            f"List them with: {command()} webhooks endpoints{stage_option(stage)}",
        ) from None
    retry_seconds = stage_named(stage).webhook_retry_seconds
    since = to_text(missed_since(before, retry_seconds, access.app.clock()))
    if as_json:
        document = webhook_screens.endpoint_document(before)
        print_json({**document, "resumed": True, "missed_since": since})
        return
    endpoint = f"--merchant {merchant_id} --url {shlex.quote(url)}"
    options = f"--from {since} --to now {endpoint}{stage_option(stage)}"
    print(
        f"Resumed: new webhooks go there within {CACHE_SECONDS} seconds. Send what failed meanwhile"
        f" with:\n  {command()} webhooks redeliver {options}"
    )


def _states(state: str, *, is_one: bool) -> frozenset[str]:
    """Which states are sent again: a delivery that is named in any, else the failed ones."""
    known = {ALL: frozenset(STATES), **{one: frozenset({one}) for one in STATES}}
    if state and state not in known:
        raise UsageError(f"{state!r} is no state.", "Say failed, pending, delivered or all.")
    return known[state or (ALL if is_one else FAILED)]


def _of_payment(
    access: StageAccess,
    payment_id: str,
    delivery_id: str,
    order: RedeliverOrder,
    progress: Progress,
) -> Redelivered:
    found = told_events(whole_payment(access, payment_id), access.app.clock())
    if delivery_id:
        found = [told for told in found if told.delivery.event_id == delivery_id]
        if not found:
            raise OperatorError(
                f"{payment_id} has no delivery {delivery_id}.",
                f"List what it has with: {command()} webhooks deliveries {payment_id}"
                f"{stage_option(access.stage)}",
            )
    done = Redelivered()
    redeliver_many(access.app, [told.delivery for told in found], order, done, _show(progress))
    return done


def _range(start: str, end: str) -> tuple[datetime, datetime]:
    now = utc_now()
    first, last = parse_instant(start, now), parse_instant(end, now)
    if first >= last:
        raise UsageError("--from must be before --to.")
    # Older events have left the outbox, and each minute of the range costs sixteen queries.
    return max(first, now - OUTBOX_LIFE), min(last, now)


def _show(progress: Progress) -> Callable[[Redelivered], None]:
    return lambda done: progress.say(webhook_screens.progress_words(done))
