"""How the simulator refunds: never more than came, and once per key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from functions.simulator.charges import Charge, Refund, RefundStatus
from functions.simulator.events import tell
from functions.simulator.world import RefusedError, World
from riel.domain.instants import to_text

_TRIES = 50
EXCEEDS_CHARGE = "exceeds_charge"
REFUND_DECLINED = "refund_declined"


@dataclass(frozen=True, slots=True)
class RefundAsk:
    """A request for a refund; `amount` is in minor units of the charge's currency."""

    gateway: str
    idempotency_key: str
    refund_id: str
    payment_id: str
    charge_key: str
    amount: int
    currency: str
    events_url: str = ""


def refund(world: World, ask: RefundAsk) -> Refund:
    """Refund once per key; a refusal is remembered too, so that a repeat is answered alike."""
    world.take_time()
    for _ in range(_TRIES):
        charge = _charge(world, ask)
        known = charge.refund(ask.idempotency_key)
        if known:
            return known
        token = world.table.forced(ask.payment_id) or charge.token
        decided = _decide(world, ask, charge, token)
        after = world.table.add_refund(charge, decided)
        if after:
            tell(world, f"refund.{decided.status}", after, decided, ask.events_url)
            if token == "tok_refund_timeout":
                world.never_answer()
            return decided
    raise RefusedError(409, "too many refunds, or too many at once")


def listed(world: World) -> Iterator[dict[str, Any]]:
    """Every refund that moved money."""
    for charge in world.table.all():
        for key in charge.refunds:
            found = charge.refund(key)
            if found and found.status == RefundStatus.SUCCEEDED:
                yield asdict(found)


def _charge(world: World, ask: RefundAsk) -> Charge:
    charge = world.table.get(ask.gateway, ask.charge_key)
    if charge is None or charge.payment_id != ask.payment_id:
        raise RefusedError(404, "no such charge of this payment")
    return charge


def _decide(world: World, ask: RefundAsk, charge: Charge, token: str) -> Refund:
    code = REFUND_DECLINED if token == "tok_refund_declined" else ""
    if ask.currency != charge.currency or ask.amount > charge.received - charge.refunded:
        code = EXCEEDS_CHARGE
    digest = hashlib.sha256(f"{ask.gateway}#{ask.idempotency_key}".encode()).hexdigest()
    return Refund(
        idempotency_key=ask.idempotency_key,
        reference=f"sim_re_{digest[:24]}",
        refund_id=ask.refund_id,
        payment_id=ask.payment_id,
        charge_id=charge.charge_id,
        amount=ask.amount - (1 if token == "tok_refund_wrong_amount" else 0),
        currency=ask.currency,
        status=RefundStatus.DECLINED if code else RefundStatus.SUCCEEDED,
        created_at=to_text(world.clock()),
        decline_code=code,
    )
