"""The simulator's HTTP API: a Lambda function URL on `dev`, a loopback server on `local`.

    POST /charges                          charge, idempotent by `Idempotency-Key`
    GET  /charges                          every charge that moved money
    GET  /charges/by-key/{key}             look up by idempotency key
    POST /payments/{payment_id}/outcome    {"token": "tok_ok"} heals or breaks one payment

Routed by hand: the local server runs this handler in many threads at once, and Powertools'
resolver keeps the current event in a class attribute.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import unquote

import boto3

from functions.simulator.charges import POISONED, Charge, ChargeTable
from functions.simulator.psp import TOKENS, Ask, NeverAnsweredError, Psp, UnavailableForNowError
from riel.clock import utc_now
from riel.config import SimulatorConfig

_config = SimulatorConfig.from_environment()
_psp = Psp(_config, ChargeTable(boto3.client("dynamodb"), _config.table), utc_now, Random())

Answer = tuple[HTTPStatus, dict[str, Any]]


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one HTTP request (payload format 2.0)."""
    try:
        status, body = _route(event)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        status, body = HTTPStatus.BAD_REQUEST, {"error": f"the request is not as agreed: {error}"}
    except UnavailableForNowError:
        status, body = HTTPStatus.SERVICE_UNAVAILABLE, {"error": "try later"}
    except NeverAnsweredError:
        status, body = HTTPStatus.GATEWAY_TIMEOUT, {"error": "nobody waits for this"}
    headers = {"content-type": "application/json"}
    # Every log line of the simulator is one request: what came, what was answered.
    print(json.dumps({"path": event.get("rawPath"), "status": status}))  # noqa: T201
    return {"statusCode": int(status), "headers": headers, "body": json.dumps(body)}


def _route(event: dict[str, Any]) -> Answer:
    method = event["requestContext"]["http"]["method"]
    parts = [unquote(part) for part in event["rawPath"].strip("/").split("/")]
    match [method, *parts]:
        case ["POST", "charges"]:
            return HTTPStatus.OK, _worded(_psp.charge(_ask(event)))
        case ["GET", "charges"]:
            return HTTPStatus.OK, {"data": [asdict(charge) for charge in _psp.charges.all()]}
        case ["GET", "charges", "by-key", key]:
            return _looked_up(_psp.look_up(key))
        case ["POST", "payments", payment_id, "outcome"]:
            return _forced(payment_id, _body(event)["token"])
        case _:
            return HTTPStatus.NOT_FOUND, {"error": "no such path"}


def _ask(event: dict[str, Any]) -> Ask:
    body = _body(event)
    key = event["headers"]["idempotency-key"]
    if type(body["amount"]) is not int or not key:
        raise ValueError("amount in minor units, and an Idempotency-Key")
    return Ask(key, body["payment_id"], body["amount"], body["currency"], body.get("token"))


def _looked_up(charge: Charge | None) -> Answer:
    if charge is None:
        return HTTPStatus.NOT_FOUND, {"error": "no charge under this key"}
    return HTTPStatus.OK, _worded(charge)


def _forced(payment_id: str, token: str) -> Answer:
    if token not in TOKENS:
        raise ValueError(f"token must be one of {', '.join(sorted(TOKENS))}")
    _psp.charges.force(payment_id, token)
    return HTTPStatus.OK, {"payment_id": payment_id, "token": token}


def _worded(charge: Charge) -> dict[str, Any]:
    if charge.status == POISONED:
        return {"verdict": "perhaps", "charge_id": charge.charge_id}
    return asdict(charge)


def _body(event: dict[str, Any]) -> dict[str, Any]:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text)
    body = json.loads(text)
    if not isinstance(body, dict):
        raise TypeError("send a JSON object")
    return body
