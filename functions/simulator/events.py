"""What the simulator tells of itself: one event for each change of a charge or of a refund.

{"id", "type": "charge.succeeded", "created_at", "livemode": false, "data": {"payment_id",
 "refund_id"?, "idempotency_key", "charge_id", "status", "amount", "currency", "received"}}
"""

from __future__ import annotations

import uuid
from typing import Any

from functions.simulator.charges import Charge, Refund
from functions.simulator.world import World
from riel.domain.instants import to_text


def tell(
    world: World, kind: str, charge: Charge, refund: Refund | None = None, url: str = ""
) -> None:
    """Send the event of a change to `url`, or to where the charge's events go, if anywhere."""
    to = url or charge.events_url
    if not to or world.config.events.off or not world.config.secret:
        return
    event = {
        "id": f"evt_sim_{uuid.uuid4().hex}",
        "type": kind,
        "created_at": to_text(world.clock()),
        "livemode": False,
        "data": _about_refund(charge, refund) if refund else _about_charge(charge),
    }
    world.send(to, event)


def _about_charge(charge: Charge) -> dict[str, Any]:
    return {
        "payment_id": charge.payment_id,
        "idempotency_key": charge.idempotency_key,
        "charge_id": charge.charge_id,
        "status": charge.status,
        "amount": charge.amount,
        "currency": charge.currency,
        "received": charge.received,
    }


def _about_refund(charge: Charge, refund: Refund) -> dict[str, Any]:
    return {
        **_about_charge(charge),
        "refund_id": refund.refund_id,
        "idempotency_key": refund.idempotency_key,
        "status": refund.status,
        "amount": refund.amount,
        "currency": refund.currency,
    }
