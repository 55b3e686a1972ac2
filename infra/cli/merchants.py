"""`riel merchants create | list | rotate-key | revoke-key | rotate-webhook-secret | limit`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from infra.cli import merchant_screens
from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import console, print_json
from infra.cli.stage_access import LOCAL, check_stage, open_stage
from infra.names import command
from infra.stages import stage_named
from riel.errors import InvalidRequestError, InvalidStateError, NotFoundError
from riel.services import merchants
from riel.services.rotate_webhook_secret import rotate_webhook_secret
from riel.store.merchants import Limits

app = new_group(help="Manage merchants, their API keys and their webhook secrets.")

MerchantArgument = Annotated[str, typer.Argument(metavar="ID", help="The merchant's id.")]
LiveOption = Annotated[bool, typer.Option("--live", help="A live key instead of a test key.")]
_RATE = typer.Option(min=1, max=merchants.MAX_RATE, help="Requests a second.")
_BURST = typer.Option(min=1, max=merchants.MAX_BURST, help="Requests at once, on top.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 100 printable characters.")],
    live: LiveOption = False,
    rate: Annotated[int | None, _RATE] = None,
    burst: Annotated[int | None, _BURST] = None,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Create a merchant; its key and its webhook secret are shown this once."""
    check_stage(stage)
    default = stage_named(stage).merchant_limits
    limits = Limits(
        default.rate if rate is None else rate, default.burst if burst is None else burst
    )
    _check_throttle(stage, limits)
    access = open_stage(stage)
    with _refusals_told(stage):
        new = merchants.create_merchant(access.app, name, live, limits)
    if as_json:
        print_json(merchant_screens.created_document(new))
    else:
        local_api = access.local.api if access.local else None
        merchant_screens.print_created(console(), stage, new, local_api)


@app.command("list")
def list_merchants(stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the merchants with their limits and keys, the oldest first."""
    found = merchants.list_merchants(open_stage(stage).app)
    if as_json:
        print_json({"data": [merchant_screens.merchant_document(record) for record in found]})
    elif found:
        merchant_screens.print_merchants(console(), found)
    else:
        print("No merchants.")


@app.command("rotate-key")
def rotate_key(
    merchant: MerchantArgument,
    live: LiveOption = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Add a second key of a mode, shown this once; the first works until it is revoked."""
    access = open_stage(stage)
    with _refusals_told(stage):
        new = merchants.rotate_key(access.app, merchant, live)
    if as_json:
        print_json(merchant_screens.rotated_document(merchant, new))
    else:
        merchant_screens.print_rotated(console(), stage, merchant, new)


@app.command("revoke-key")
def revoke_key(
    merchant: MerchantArgument,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `list` shows it.")],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Take a key out of use, for ever; it stops working within 30 seconds."""
    access = open_stage(stage)
    with _refusals_told(stage):
        done = merchants.revoke_key(access.app, merchant, key_id)
    if as_json:
        print_json(merchant_screens.revoked_document(merchant, done))
    else:
        merchant_screens.print_revoked(done)


@app.command("rotate-webhook-secret")
def rotate_secret(
    merchant: MerchantArgument,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="After a leak: the secrets before it end now.")
    ] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Make a new webhook secret, shown this once; for 24 hours the one before signs beside it."""
    access = open_stage(stage)
    leak = f"After a leak, end both now: {_command('rotate-webhook-secret', merchant, stage)}"
    with _refusals_told(stage, f"{leak} --at-once"):
        new = rotate_webhook_secret(access.app, merchant, at_once)
    if as_json:
        print_json(merchant_screens.new_secret_document(new))
    else:
        merchant_screens.print_new_secret(console(), new)


@app.command()
def limit(
    merchant: MerchantArgument,
    rate: Annotated[int, _RATE],
    burst: Annotated[int, _BURST],
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Change how many requests a merchant may send; it holds within 30 seconds."""
    check_stage(stage)
    _check_throttle(stage, Limits(rate, burst))
    access = open_stage(stage)
    with _refusals_told(stage):
        changed = merchants.set_limits(access.app, merchant, Limits(rate, burst))
    if as_json:
        print_json(merchant_screens.limited_document(changed))
    else:
        merchant_screens.print_limited(changed)


def _check_throttle(stage: str, limits: Limits) -> None:
    """Refuse a rate that the HTTP API in front of all merchants does not let through."""
    most = stage_named(stage).throttle.rate
    if limits.rate > most:
        raise UsageError(
            f"The HTTP API of {stage} lets {most} requests a second through, for all merchants.",
            "Raise `throttle` in infra/stages.py first, within the account's quota, and deploy.",
        )


@contextmanager
def _refusals_told(stage: str, instead: str = "") -> Iterator[None]:
    """Say what the product refuses, and what to do about it, or `instead` where it is not yet."""
    try:
        yield
    except InvalidRequestError as error:
        raise UsageError(_sentence(str(error))) from None
    except (NotFoundError, InvalidStateError) as error:
        look = f"See what there is with: {_command('list', '', stage)}"
        advice = instead if instead and isinstance(error, InvalidStateError) else look
        raise OperatorError(_sentence(str(error)), advice) from None


def _command(verb: str, merchant: str, stage: str) -> str:
    argument = f" {merchant}" if merchant else ""
    return f"{command()} merchants {verb}{argument}{stage_option(stage)}"


def _sentence(text: str) -> str:
    is_id = text.startswith("mer_")  # an id stays as it can be pasted
    return f"{text if is_id else text[:1].upper() + text[1:]}."
