"""`riel simulator pay`: stand in for the payer of a voucher, where the PSP is the simulated one."""

from __future__ import annotations

from typing import Annotated, Any

import boto3
import httpx
import typer

from infra.cli.errors import OperatorError, UsageError
from infra.cli.options import JsonOption, StageOption, new_group, stage_option
from infra.cli.output import print_json
from infra.cli.stage_access import LOCAL, StageAccess, open_stage
from infra.cli.stage_report import addresses
from infra.names import command
from riel.domain.money import AmountError, Money, parse_amount
from riel.domain.payment import Payment
from riel.gateways.aws_auth import SigV4Auth

app = new_group(help="Act for the payer at the simulated PSP.")
_TIMEOUT_SECONDS = 10.0


@app.callback()
def simulator() -> None:
    """Act for the payer at the simulated PSP."""


@app.command()
def pay(
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT_ID")],
    amount: Annotated[
        str, typer.Option(metavar="50.00", help="Another amount than what is left.")
    ] = "",
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Pay an OXXO voucher or a SPEI transfer; too little, too much, twice and late are taken."""
    access = open_stage(stage)
    payment = access.app.payments.get(payment_id)
    if payment is None:
        raise OperatorError(
            f"There is no payment {payment_id} on the stage {stage}.",
            f"List what is there with: {command()} payments list{stage_option(stage)}",
        )
    paid = _pay(access, payment, _minor(amount, payment))
    if as_json:
        print_json(_document(paid))
    else:
        _print(paid, stage)


def _minor(amount: str, payment: Payment) -> int | None:
    if not amount:
        return None
    try:
        return parse_amount(amount, payment.amount.currency).minor
    except AmountError as error:
        raise UsageError(f"{amount!r} is not an amount: {error}.", "Write it like 50.00.") from None


def _pay(access: StageAccess, payment: Payment, minor: int | None) -> dict[str, Any]:
    body = {} if minor is None else {"amount": minor}
    try:
        with _client(access) as client:
            answer = client.post(f"/payments/{payment.payment_id}/pay", json=body)
    except httpx.HTTPError as error:
        raise OperatorError(
            f"The simulator did not answer ({type(error).__name__}).",
            f"See what runs with: {command()} status{stage_option(access.stage)}",
        ) from None
    if answer.status_code == 200:
        paid: dict[str, Any] = answer.json()
        return paid
    if answer.status_code in (404, 409):
        raise OperatorError(
            f"{payment.payment_id} has no voucher to pay: it is {payment.status}.",
            "Vouchers are made for payments with the method oxxo or spei.",
        )
    raise OperatorError(f"The simulator answered HTTP {answer.status_code}.")


def _client(access: StageAccess) -> httpx.Client:
    url = addresses(access)["simulator"]
    if not url:
        raise OperatorError(f"The stage {access.stage} has no simulator.")
    auth = None
    if access.local is None:
        credentials = boto3.session.Session().get_credentials()
        auth = SigV4Auth(credentials, access.app.sqs.meta.region_name)
    base_url = url.rstrip("/")
    return httpx.Client(base_url=base_url, auth=auth, timeout=_TIMEOUT_SECONDS, trust_env=False)


def _document(paid: dict[str, Any]) -> dict[str, Any]:
    return {
        "payment_id": paid["payment_id"],
        "status": paid["status"],
        "amount": str(Money(paid["amount"], paid["currency"])),
        "received_amount": str(Money(paid["received"], paid["currency"])),
        "currency": paid["currency"],
    }


def _print(paid: dict[str, Any], stage: str) -> None:
    told = _document(paid)
    received = f"{told['received_amount']} of {told['amount']} {told['currency']}"
    print(f"The simulator has received {received} for {told['payment_id']}: {told['status']}.")
    payment_id, of_stage = told["payment_id"], stage_option(stage)
    print(f"Look at it with: {command()} payments show {payment_id}{of_stage}")
