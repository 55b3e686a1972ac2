"""Merchants' endpoints that fail, and who may hear of what."""

from __future__ import annotations

from infra.simulation.plays import Behave, Play, Scenario, Scene, told_once
from riel import ids
from riel.store.deliveries import Delivery

HANGS_SECONDS = 60.0


def fails_first(scene: Scene) -> None:
    """An endpoint that fails three times."""
    _told_at(scene, lambda before: (500 if before < 3 else 200, 0.05))


def hangs_first(scene: Scene) -> None:
    """An endpoint that hangs at the first time."""
    _told_at(scene, lambda before: (200, 0.05 if before else HANGS_SECONDS))


def slow_endpoint(scene: Scene) -> None:
    """An endpoint that takes long, and answers in time."""
    _told_at(scene, lambda _before: (200, 6.0))


def gone(scene: Scene) -> None:
    """An endpoint that wants nothing any more."""
    _told_at(scene, lambda _before: (410, 0.05))


def down_for_good(scene: Scene) -> None:
    """An endpoint that fails for as long as it is tried."""
    _told_at(scene, lambda _before: (503, 0.05))


def hangs_for_good(scene: Scene) -> None:
    """An endpoint that never answers."""
    _told_at(scene, lambda _before: (200, HANGS_SECONDS))


def redelivered(scene: Scene) -> None:
    """A merchant asks twice at once to be told again, while the endpoint still fails."""
    _told_at(scene, lambda before: (500 if before < 2 else 200, 0.05))
    if scene.wait_until(lambda: bool(_deliveries(scene))):
        scene.sleep(3 * scene.draw("wait"))
        delivery = _deliveries(scene)[0]
        path = f"/api/v1/payments/{delivery.payment_id}/deliveries/{delivery.event_id}/redeliver"
        scene.together(
            lambda: scene.shop.ask("POST", path, f"{scene.name}-again-1", {}),
            lambda: scene.shop.ask("POST", path, f"{scene.name}-again-2", {}),
        )


def _deliveries(scene: Scene) -> list[Delivery]:
    """Return what was tried to be delivered of this story's payment."""
    payment_id = ids.payment_id(scene.shop.merchant_id, False, scene.name)
    found = scene.play.books.deliveries.values()
    return [one for one in found if one.payment_id == payment_id]


def untold(scene: Scene) -> None:
    """A merchant who wants no webhooks, and reads."""
    payment_id = scene.pay(webhook_url=None)
    scene.wait_for(payment_id, "completed")
    scene.shop.read(payment_id)


def _hosts_hang(play: Play) -> None:
    """Two endpoints of a merchant hang; what goes to the third has to wait, and arrives."""
    for number in range(2):
        play.begin(hangs_first, 0, f"p{number}")
    play.begin(fails_first, 0, "p2")


def _told_at(scene: Scene, behave: Behave) -> None:
    scene.pay(webhook_url=scene.listen(behave))


def _side_by_side(play: Play) -> None:
    """Two merchants with the same keys; each tries to touch what is the other's."""

    def curious(scene: Scene) -> None:
        payment_id = scene.pay()
        other = play.shop(1 - play.shops.index(scene.shop))
        path = f"/api/v1/payments/{payment_id}"
        for method, end, body in (
            ("GET", "", None),
            ("POST", "/cancel", {}),
            ("POST", "/refunds", {}),
        ):
            got = other.ask(method, path + end, f"{other.merchant_id}-spies", body)
            scene.claim(got.status == 404, f"{method} of another's payment: {got.status}")

    play.shop(1)
    play.begin(curious, 0, "p0")
    play.begin(curious, 1, "p1")


WEBHOOKS = (
    told_once("webhook-fails-first", fails_first),
    told_once("webhook-hangs-first", hangs_first),
    told_once("webhook-slow", slow_endpoint),
    told_once("webhook-gone", gone, leaves_letters=True),
    told_once("webhook-down-for-good", down_for_good, leaves_letters=True),
    told_once("webhook-hangs-for-good", hangs_for_good, leaves_letters=True),
    Scenario("webhook-hosts-hang", _hosts_hang),
    told_once("webhook-redelivered", redelivered),
    told_once("webhook-not-wanted", untold),
    Scenario("merchants-side-by-side", _side_by_side),
)
