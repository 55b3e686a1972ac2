"""`riel merchants create | list | rotate-key | revoke-key | limit`."""

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
from riel.store.merchants import Limits

app = new_group(help="Manage merchants and their API keys.")

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
def _refusals_told(stage: str) -> Iterator[None]:
    """Say what the product refuses, and what to do about it."""
    try:
        yield
    except InvalidRequestError as error:
        raise UsageError(_sentence(str(error))) from None
    except (NotFoundError, InvalidStateError) as error:
        look = f"See what there is with: {command()} merchants list{stage_option(stage)}"
        raise OperatorError(_sentence(str(error)), look) from None


def _sentence(text: str) -> str:
    is_id = text.startswith("mer_")  # an id stays as it can be pasted
    return f"{text if is_id else text[:1].upper() + text[1:]}."
