"""The simulator's HTTP API: a Lambda function URL on `dev`, a loopback server on `local`.

POST /charges                          charge, idempotent by `Idempotency-Key`
GET  /charges                          every charge that moved money
GET  /charges/by-key/{key}             look up by idempotency key
POST /payments/{payment_id}/outcome    {"token": "tok_ok"} heals or breaks one payment
"""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from random import Random
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import (
    BadRequestError,
    NotFoundError,
    ServiceError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from riel.clock import utc_now
from riel.config import SimulatorConfig

from functions.simulator.charges import POISONED, Charge, ChargeTable
from functions.simulator.psp import TOKENS, Ask, NeverAnsweredError, Psp, UnavailableForNowError

_config = SimulatorConfig.from_environment()
_psp = Psp(_config, ChargeTable(boto3.client("dynamodb"), _config.table), utc_now, Random())
_app = APIGatewayHttpResolver()


@_app.post("/charges")
def post_charge() -> dict[str, Any]:
    """Make a charge."""
    key = _app.current_event.headers.get("idempotency-key")
    body = _body()
    if not key or type(body.get("amount")) is not int:
        raise BadRequestError("send Idempotency-Key, payment_id, amount (minor units), currency")
    ask = Ask(
        key, str(body["payment_id"]), body["amount"], str(body["currency"]), body.get("token")
    )
    try:
        return _answer(_psp.charge(ask))
    except UnavailableForNowError as error:
        raise ServiceError(HTTPStatus.SERVICE_UNAVAILABLE, "try later") from error
    except NeverAnsweredError as error:
        raise ServiceError(HTTPStatus.GATEWAY_TIMEOUT, "nobody waits for this") from error


@_app.get("/charges")
def get_charges() -> dict[str, Any]:
    """List every charge, one line for each time that money would have moved."""
    return {"data": [asdict(charge) for charge in _psp.charges.all()]}


@_app.get("/charges/by-key/<key>")
def get_charge_by_key(key: str) -> dict[str, Any]:
    """Look up one charge."""
    charge = _psp.look_up(key)
    if charge is None:
        raise NotFoundError("no charge under this key")
    return _answer(charge)


@_app.post("/payments/<payment_id>/outcome")
def post_outcome(payment_id: str) -> dict[str, Any]:
    """Force the outcome of one payment from now on."""
    token = _body().get("token")
    if token not in TOKENS:
        raise BadRequestError(f"token must be one of {', '.join(sorted(TOKENS))}")
    _psp.charges.force(payment_id, token)
    return {"payment_id": payment_id, "token": token}


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request (payload format 2.0)."""
    return _app.resolve(event, context)


def _body() -> dict[str, Any]:
    body = _app.current_event.json_body
    if not isinstance(body, dict):
        raise BadRequestError("send a JSON object")
    return body


def _answer(charge: Charge) -> dict[str, Any]:
    if charge.status == POISONED:
        return {"verdict": "perhaps", "charge_id": charge.charge_id}
    return asdict(charge)
