"""What can be simulated of which stage.

On the local stage every wait is seconds, so every scenario can be told there. On one of AWS some
waits are hours and days, in each of which the sweeper runs sixty times: what they are about is left
to the local stage. A stage without a gateway refuses every payment, so it has nothing to tell.
"""

from __future__ import annotations

from infra import stages
from infra.simulation.scenarios import MIXED, SCENARIOS

LOCAL = stages.LOCAL.name
_WEBHOOK_DAYS = "an endpoint is tried for three days"
_LOOK_UP_DAYS = "an unknown result is looked up for a day"
_EVENT_DAYS = "an event that fits no payment is matched again for a day"
_OPEN = "an event that changes nothing of an open voucher may be matched again for a day"
_GRACE = "a voucher expires an hour after its time, and the story waits for a quarter of one"
TOO_LONG = {
    MIXED.name: "some of its stories wait for days",
    "card-timeout-before-charge": _LOOK_UP_DAYS,
    "card-wrong-amount": _EVENT_DAYS,
    "card-wrong-reference": _EVENT_DAYS,
    "refund-wrong-amount": _EVENT_DAYS,
    "voucher-canceled": _EVENT_DAYS,
    "voucher-canceled-after-a-part": _EVENT_DAYS,
    "event-unmatched": _EVENT_DAYS,
    "voucher-left-open": _OPEN,
    "event-forged": _OPEN,
    "event-lies": _OPEN,
    "voucher-never-paid": _GRACE,
    "voucher-paid-short": _GRACE,
    "voucher-paid-late": _GRACE,
    "events-lost": _GRACE,
    "webhook-down-for-good": _WEBHOOK_DAYS,
    "webhook-hangs-for-good": _WEBHOOK_DAYS,
}
"""Scenarios that only the local stage can be asked for, and why."""


def scenarios_of(stage: str) -> list[str]:
    """Return the scenarios that a stage can be asked for, beside the mixed one."""
    if stage == LOCAL:
        return list(SCENARIOS)
    return [name for name in SCENARIOS if name not in TOO_LONG] if has_gateway(stage) else []


def has_gateway(stage: str) -> bool:
    """Whether a payment on this stage can be charged anywhere."""
    return bool(stages.stage_named(stage).gateways.routes)
