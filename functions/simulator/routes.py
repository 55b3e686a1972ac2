"""The simulator's HTTP API; the second PSP, `standby`, answers alike under `/standby`.

    POST /charges                       a charge or a voucher, idempotent by `Idempotency-Key`
    GET  /charges                       every charge that moved money, of both PSPs
    GET  /charges/by-key/{key}          look up by idempotency key
    POST /charges/by-key/{key}/void     void a voucher that waits
    POST /payments/{payment_id}/pay     {"amount"?: minor, "deposit_id"?} pays a voucher
    POST /payments/{payment_id}/outcome {"token": "tok_ok"} heals or breaks one payment
    POST /refunds                       refund a charge, idempotent by `Idempotency-Key`
    GET  /refunds                       every refund that moved money, of both PSPs
    GET  /refunds/by-key/{key}          look up by the refund's idempotency key

Routed by hand: the local server runs this in many threads at once, and Powertools' resolver keeps
the current event in a class attribute.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote

from functions.simulator import charging, refunds, vouchers
from functions.simulator.charges import Charge, Refund, RefundStatus, line, worded
from functions.simulator.world import RefusedError, World

Answer = tuple[int, dict[str, Any]]

_MAX_NAME = 255


def route(world: World, event: dict[str, Any]) -> Answer:
    """Answer a request, or raise RefusedError, or what a request that is not as agreed raises."""
    method = event["requestContext"]["http"]["method"]
    parts = [unquote(part) for part in event["rawPath"].strip("/").split("/")]
    gateway = "simulator"
    if parts[0] == "standby":
        gateway, parts = parts[0], parts[1:]
    if method == "GET":
        return _read(world, gateway, parts)
    return _do(world, gateway, parts, event) if method == "POST" else _no_such_path()


def _read(world: World, gateway: str, parts: list[str]) -> Answer:
    match parts:
        case ["charges"]:
            moved = (charge for charge in world.table.all() if charge.has_moved_money)
            return 200, {"data": [line(charge) for charge in moved]}
        case ["charges", "by-key", key]:
            return _found(charging.look_up(world, gateway, key))
        case ["refunds"]:
            return 200, {"data": list(refunds.listed(world))}
        case ["refunds", "by-key", key]:
            return _refund_found(world.table.get_refund(gateway, key))
        case _:
            return _no_such_path()


def _do(world: World, gateway: str, parts: list[str], event: dict[str, Any]) -> Answer:
    match parts:
        case ["charges"]:
            return 200, worded(charging.charge(world, _ask(gateway, event)))
        case ["charges", "by-key", key, "void"]:
            return _found(vouchers.void(world, gateway, key))
        case ["refunds"]:
            return _refunded(refunds.refund(world, _refund_ask(gateway, event)))
        case ["payments", payment_id, "pay"]:
            return _paid(world, payment_id, _body(event))
        case ["payments", payment_id, "outcome"]:
            return _forced(world, payment_id, _body(event)["token"])
        case _:
            return _no_such_path()


def _no_such_path() -> Answer:
    raise RefusedError(404, "no such path")


def _found(charge: Charge | None) -> Answer:
    if charge is None:
        raise RefusedError(404, "no charge under this key")
    return 200, worded(charge)


def _refund_found(refund: Refund | None) -> Answer:
    if refund is None:
        raise RefusedError(404, "no refund under this key")
    return 200, asdict(refund)


def _refunded(refund: Refund) -> Answer:
    return 422 if refund.status == RefundStatus.DECLINED else 200, asdict(refund)


def _paid(world: World, payment_id: str, body: dict[str, Any]) -> Answer:
    deposit_id = _name(body.get("deposit_id") or uuid.uuid4().hex)
    return 200, line(vouchers.pay(world, payment_id, body.get("amount"), deposit_id))


def _forced(world: World, payment_id: str, token: str) -> Answer:
    if token not in charging.TOKENS:
        raise ValueError(f"token must be one of {', '.join(sorted(charging.TOKENS))}")
    world.table.force(payment_id, token)
    return 200, {"payment_id": payment_id, "token": token}


def _ask(gateway: str, event: dict[str, Any]) -> charging.Ask:
    body = _body(event)
    method = body.get("method") or "card"
    if method not in charging.METHODS:
        raise ValueError(f"method must be one of {', '.join(sorted(charging.METHODS))}")
    return charging.Ask(
        gateway=gateway,
        idempotency_key=_name(event["headers"]["idempotency-key"]),
        payment_id=_name(body["payment_id"]),
        amount=_amount(body),
        currency=_name(body["currency"]),
        method=method,
        token=body.get("token"),
        expires_at=body.get("expires_at") or "",
        events_url=body.get("events_url") or "",
    )


def _refund_ask(gateway: str, event: dict[str, Any]) -> refunds.RefundAsk:
    body = _body(event)
    return refunds.RefundAsk(
        gateway=gateway,
        idempotency_key=_name(event["headers"]["idempotency-key"]),
        refund_id=_name(body["refund_id"]),
        payment_id=_name(body["payment_id"]),
        charge_key=_name(body["charge_key"]),
        amount=_amount(body),
        currency=_name(body["currency"]),
        events_url=body.get("events_url") or "",
    )


def _amount(body: dict[str, Any]) -> int:
    minor = body["amount"]
    if type(minor) is not int or minor <= 0:
        raise ValueError("amount is a positive whole number of minor units")
    return minor


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise ValueError(f"a key, an id and a currency have 1 to {_MAX_NAME} characters")
    return value


def _body(event: dict[str, Any]) -> dict[str, Any]:
    text = event.get("body") or "{}"
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text)
    body = json.loads(text)
    if not isinstance(body, dict):
        raise TypeError("send a JSON object")
    return body
