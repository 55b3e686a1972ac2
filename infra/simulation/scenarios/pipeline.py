"""What carries payments on fails for long: the stream, the PSP's events."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.simulator.posting import signature
from infra.simulation import operator_shift
from infra.simulation.aws import SIMULATOR_SECRET
from infra.simulation.edge import UnreachableError
from infra.simulation.plays import Play, Scenario, Scene, told_once
from infra.simulation.scenarios import cards, refunds, vouchers
from riel import ids
from riel.errors import UnavailableError
from riel.services.replay_outbox import replay_outbox

TRIES = 8


def forged(scene: Scene) -> None:
    """Events that no PSP signed change nothing."""
    payment_id = scene.pay(method="oxxo", ends=("awaiting_payment",))
    scene.wait_for(payment_id, "awaiting_payment")
    status = _post(scene, "simulator", _event(payment_id, "evt_forged"), "guessed")
    scene.claim(status == 401, f"a forged event was answered {status}")


def lied_to(scene: Scene) -> None:
    """A signed event that says what is not so: what counts is what the PSP says when asked."""
    payment_id = scene.pay(method="oxxo", ends=("awaiting_payment",))
    scene.wait_for(payment_id, "awaiting_payment")
    _post(scene, "simulator", _event(payment_id, "evt_lie"))


def repeated(scene: Scene) -> None:
    """The same event many times, before and after the payment has ended."""
    payment_id = scene.pay()
    event = _event(payment_id, "evt_again")
    scene.together(*[lambda: _post(scene, "simulator", event)] * 3)
    scene.wait_for(payment_id, "completed")
    _post(scene, "simulator", event)


def too_early(scene: Scene) -> None:
    """An event comes before the payment that it is about."""
    payment_id = ids.payment_id(scene.shop.merchant_id, False, scene.name)
    _post(scene, "simulator", _event(payment_id, "evt_early"))
    scene.sleep(2 + 4 * scene.draw("wait"))
    scene.pay()


def foreign(scene: Scene) -> None:
    """Another gateway tells of a payment that is not its own."""
    payment_id = scene.pay()
    _post(scene, "standby", _event(payment_id, "evt_foreign"))


def unmatched(scene: Scene) -> None:
    """An event about a payment that never comes."""
    payment_id = ids.payment_id(scene.shop.merchant_id, False, f"{scene.name}-never")
    _post(scene, "simulator", _event(payment_id, "evt_unmatched"))


def replayed(scene: Scene) -> None:
    """An operator publishes again what was published, while it is still being worked on."""
    payment_id = scene.pay()
    scene.sleep(2 * scene.draw("wait"))
    _replay(scene)
    scene.wait_for(payment_id, "completed")
    _replay(scene)


def _replay(scene: Scene) -> None:
    app = operator_shift.new_app(scene.play.world)
    now = datetime.fromtimestamp(scene.play.world.kernel.now, UTC)
    with suppress(UnavailableError):
        replay_outbox(app, now - timedelta(minutes=1), now)


def _event(payment_id: str, event_id: str) -> dict[str, Any]:
    return {
        "id": f"{event_id}_{payment_id[-6:]}",
        "type": "charge.paid",
        "created_at": "2026-04-17T12:00:00.000Z",
        "livemode": False,
        "data": {"payment_id": payment_id, "status": "paid", "amount": 100_50, "currency": "MXN"},
    }


def _post(scene: Scene, gateway: str, event: dict[str, Any], secret: str = SIMULATOR_SECRET) -> int:
    """Post an event until it is answered; return how."""
    world = scene.play.world
    body = json.dumps(event).encode()
    for _ in range(TRIES):
        headers = {
            "content-type": "application/json",
            "simulator-event-id": event["id"],
            "simulator-signature": signature(secret, int(world.kernel.now), body),
        }
        try:
            path = f"/api/v1/gateways/{gateway}/webhooks"
            status = world.edge.send("POST", path, headers, body).status
        except UnreachableError:
            status = 503
        if status < 500:
            return status
        scene.sleep(1)
    return status


def _sweeper_alone(play: Play) -> None:
    """The stream has forgotten everything: only the sweeper finds what is to be done."""
    play.world.dynamodb.on_change = None
    play.begin(cards.completed, 0, "p0")


def _without_events(play: Play) -> None:
    """The PSP tells nothing by itself."""
    play.world.loses_events = True
    play.begin(cards.timeout_after_charge, 0, "p0")
    play.begin(refunds.refunded, 0, "p1")
    play.begin(vouchers.never_paid, 0, "p2")


PIPELINE = (
    Scenario("sweeper-alone", _sweeper_alone),
    Scenario("events-lost", _without_events),
    told_once("outbox-replayed", replayed),
    told_once("event-forged", forged),
    told_once("event-lies", lied_to),
    told_once("event-repeated", repeated),
    told_once("event-too-early", too_early),
    told_once("event-foreign", foreign),
    told_once("event-unmatched", unmatched),
)
