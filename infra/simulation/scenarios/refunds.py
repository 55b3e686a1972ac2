"""Money that goes back."""

from __future__ import annotations

from infra.simulation.plays import Scene, told_once


def refunded(scene: Scene) -> None:
    """All of it goes back."""
    _refund(scene, "tok_ok")


def refunded_in_parts(scene: Scene) -> None:
    """Two parts at once, which are more than what came: one of them is refused."""
    payment_id = _paid(scene, "tok_ok")
    if not payment_id:
        return
    ids: list[str | None] = []
    first = lambda: ids.append(scene.shop.refund(payment_id, f"{scene.name}-a", "70.00"))  # noqa: E731
    second = lambda: ids.append(scene.shop.refund(payment_id, f"{scene.name}-b", "40.00"))  # noqa: E731
    scene.together(first, second)
    if len(ids) == 2:
        scene.claim(ids.count(None) == 1, f"two refunds beyond what came: {ids}")


def refunded_twice(scene: Scene) -> None:
    """Two small parts, one after the other, and the first is asked for again."""
    payment_id = _paid(scene, "tok_ok")
    if payment_id:
        first = scene.shop.refund(payment_id, f"{scene.name}-a", "10.00")
        scene.shop.refund(payment_id, f"{scene.name}-b", "20.00")
        again = scene.shop.refund(payment_id, f"{scene.name}-a", "10.00")
        scene.claim(first == again, f"a refund's key made {first} and {again}")


def same_key_at_once(scene: Scene) -> None:
    """A merchant whose two servers ask for the same refund."""
    payment_id = _paid(scene, "tok_ok")
    if payment_id:
        ask = lambda: scene.shop.refund(payment_id, f"{scene.name}-refund", "30.00")  # noqa: E731
        scene.together(ask, ask)


def refund_timeout(scene: Scene) -> None:
    """The PSP gives back, and never answers."""
    _refund(scene, "tok_refund_timeout")


def refund_declined(scene: Scene) -> None:
    """The PSP does not give back; the amount can be refunded again."""
    _refund(scene, "tok_refund_declined")


def refund_wrong_amount(scene: Scene) -> None:
    """The PSP gives another amount back."""
    _refund(scene, "tok_refund_wrong_amount")


def _refund(scene: Scene, token: str) -> None:
    payment_id = _paid(scene, token)
    if payment_id:
        scene.shop.refund(payment_id, f"{scene.name}-refund", "30.00")


def _paid(scene: Scene, token: str) -> str:
    payment_id = scene.pay(token)
    return payment_id if scene.wait_for(payment_id, "completed") == "completed" else ""


REFUNDS = (
    told_once("refund-completed", refunded),
    told_once("refund-in-parts-at-once", refunded_in_parts),
    told_once("refund-twice", refunded_twice),
    told_once("refund-same-key-at-once", same_key_at_once),
    told_once("refund-timeout", refund_timeout),
    told_once("refund-declined", refund_declined),
    told_once("refund-wrong-amount", refund_wrong_amount),
)
