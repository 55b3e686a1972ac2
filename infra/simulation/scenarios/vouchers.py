"""Payments in cash and by transfer: the payer comes late, short, twice, or not at all."""

from __future__ import annotations

from infra.simulation.plays import Scene, told_once

HALF = 50_25
_OUT = ("awaiting_payment", "expired")


def paid(scene: Scene) -> None:
    """A voucher that is paid."""
    payment_id = scene.pay(method="oxxo")
    if scene.wait_for(payment_id, "awaiting_payment") == "awaiting_payment":
        scene.payer_pays(payment_id)


def transferred(scene: Scene) -> None:
    """A transfer that comes."""
    payment_id = scene.pay(method="spei")
    if scene.wait_for(payment_id, "awaiting_payment") == "awaiting_payment":
        scene.payer_pays(payment_id)


def paid_in_parts(scene: Scene) -> None:
    """Half of it, and then the rest."""
    payment_id = scene.pay(method="oxxo")
    if scene.wait_for(payment_id, "awaiting_payment") == "awaiting_payment":
        scene.payer_pays(payment_id, HALF, f"{scene.name}-first")
        scene.sleep(3 * scene.draw("wait"))
        scene.payer_pays(payment_id)


def paid_twice(scene: Scene) -> None:
    """The whole, and the whole again."""
    payment_id = scene.pay(method="spei")
    if scene.wait_for(payment_id, "awaiting_payment") == "awaiting_payment":
        scene.payer_pays(payment_id)
        scene.payer_pays(payment_id, deposit=f"{scene.name}-again")


def never_paid(scene: Scene) -> None:
    """A voucher that nobody pays."""
    scene.pay("tok_expires_soon", method="oxxo", ends=("expired",))


def paid_short(scene: Scene) -> None:
    """Half of it, and no more comes."""
    payment_id = scene.pay("tok_expires_soon", method="oxxo", ends=("expired",))
    if scene.wait_for(payment_id, "awaiting_payment", "expired") == "awaiting_payment":
        scene.payer_pays(payment_id, HALF)


def paid_late(scene: Scene) -> None:
    """The money comes when the payment has expired."""
    payment_id = scene.pay("tok_expires_soon", method="oxxo")
    if scene.wait_for(payment_id, "expired") == "expired":
        scene.payer_pays(payment_id)


def paid_at_the_end(scene: Scene) -> None:
    """The money comes at the moment of the expiry."""
    payment_id = scene.pay("tok_expires_soon", method="oxxo")
    if scene.wait_for(payment_id, "awaiting_payment", "expired") in _OUT:
        scene.sleep(4 + 5 * scene.draw("wait"))
        scene.payer_pays(payment_id)


def canceled(scene: Scene) -> None:
    """A merchant cancels a voucher that is out."""
    payment_id = scene.pay(method="oxxo", ends=("canceled",))
    scene.wait_for(payment_id, "awaiting_payment")
    scene.shop.cancel(payment_id, f"{scene.name}-cancel")


def cancel_races_payer(scene: Scene) -> None:
    """A merchant cancels while the payer pays: what came goes back."""
    payment_id = scene.pay(method="oxxo", ends=("completed", "canceled"))
    if scene.wait_for(payment_id, "awaiting_payment") != "awaiting_payment":
        return

    def cancel() -> None:
        scene.sleep(scene.draw("cancel"))
        scene.shop.cancel(payment_id, f"{scene.name}-cancel")

    def pay() -> None:
        scene.sleep(scene.draw("pay"))
        scene.payer_pays(payment_id)

    scene.together(cancel, pay)


def canceled_after_a_part(scene: Scene) -> None:
    """Half of it came, and the merchant cancels: the half goes back."""
    payment_id = scene.pay(method="oxxo", ends=("canceled",))
    if scene.wait_for(payment_id, "awaiting_payment") == "awaiting_payment":
        scene.payer_pays(payment_id, HALF)
        scene.sleep(3 * scene.draw("wait"))
        scene.shop.cancel(payment_id, f"{scene.name}-cancel")


def left_open(scene: Scene) -> None:
    """A voucher with days to go: it waits, and that is right."""
    scene.pay(method="oxxo", ends=("awaiting_payment",))


VOUCHERS = (
    told_once("voucher-paid", paid),
    told_once("voucher-transferred", transferred),
    told_once("voucher-paid-in-parts", paid_in_parts),
    told_once("voucher-paid-twice", paid_twice),
    told_once("voucher-never-paid", never_paid),
    told_once("voucher-paid-short", paid_short),
    told_once("voucher-paid-late", paid_late),
    told_once("voucher-paid-at-the-end", paid_at_the_end),
    told_once("voucher-canceled", canceled),
    told_once("voucher-cancel-races-payer", cancel_races_payer),
    told_once("voucher-canceled-after-a-part", canceled_after_a_part),
    told_once("voucher-left-open", left_open),
)
