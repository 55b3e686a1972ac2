"""Payments by card, and how their gateways fail them."""

from __future__ import annotations

from infra.simulation.plays import Play, Scenario, Scene, told_once
from riel.domain.payment import Attention

SETTLED_SECONDS = 10.0
"""After which what was asked for has mostly been done."""
OUTAGE_SECONDS = 12.0
ERROR_SECONDS = 2.5
SILENT_SECONDS = 5.0
"""Long enough for a charge to be made, and shorter than anybody waits for its answer."""


def completed(scene: Scene) -> None:
    """A card that is charged, and a merchant who reads what became of it."""
    payment_id = scene.pay()
    scene.wait_for(payment_id, "completed")
    scene.shop.read(payment_id)


def declined(scene: Scene) -> None:
    """A card that is declined for good."""
    scene.pay("tok_declined", ends=("failed",))


def softly_declined(scene: Scene) -> None:
    """The issuer is away for the first charge; the second one succeeds."""
    scene.pay("tok_declined_once")


def declined_in_the_end(scene: Scene) -> None:
    """The issuer stays away for all charges."""
    scene.pay("tok_issuer_unavailable", ends=("failed",))


def slow(scene: Scene) -> None:
    """The PSP takes its time, and answers."""
    scene.pay("tok_slow")


def unavailable(scene: Scene) -> None:
    """The PSP refuses for some seconds."""
    scene.pay("tok_unavailable")


def timeout_after_charge(scene: Scene) -> None:
    """The PSP charges, and never answers."""
    scene.pay("tok_timeout_after_charge")


def timeout_before_charge(scene: Scene) -> None:
    """The PSP never answers, and has done nothing: nobody can know."""
    scene.pay("tok_timeout_before_charge", ends=("in_review", "failed"))


def wrong_amount(scene: Scene) -> None:
    """The PSP charges another amount than it was asked to."""
    scene.pay("tok_wrong_amount", ends=("in_review", "completed"))


def wrong_reference(scene: Scene) -> None:
    """The PSP answers about somebody else's payment."""
    scene.pay("tok_wrong_reference", ends=("in_review", "completed"))


def poisoned(scene: Scene) -> None:
    """The PSP answers what no adapter understands, until somebody has mended it."""
    payment_id = scene.pay("tok_poison", ends=("processing", "completed"))
    books = scene.play.books
    scene.wait_until(lambda: books.payments[payment_id].attention == Attention.DEAD_LETTER)
    scene.decide(payment_id, "tok_ok")


def twice_at_once(scene: Scene) -> None:
    """A merchant whose two servers send the same request."""
    scene.together(scene.pay, scene.pay)


def same_key_other_body(scene: Scene) -> None:
    """A key that is used again for something else."""
    scene.pay()
    other = scene.shop.ask(
        "POST", "/api/v1/payments", scene.name, {"amount": "7.00", "currency": "MXN"}
    )
    scene.claim(other.status == 422, f"another body under a known key: {other.status}")


def same_key_after_days(scene: Scene) -> None:
    """A request that is repeated when nothing but the payment itself remembers its key."""
    payment_id = scene.pay()
    if scene.wait_for(payment_id, "completed") != "completed":
        return
    scene.sleep(SETTLED_SECONDS)
    refund_id = scene.shop.refund(payment_id, f"{scene.name}-refund", "10.00")
    scene.sleep(SETTLED_SECONDS)
    scene.days_pass(3)
    scene.claim(scene.pay() == payment_id, "the same key made another payment")
    again = scene.shop.refund(payment_id, f"{scene.name}-refund", "10.00")
    scene.claim(again == refund_id, f"the same key made {refund_id} and {again}")


def same_reference(scene: Scene) -> None:
    """Two orders under one reference at once: it is free again when its payment has failed."""

    def order(number: int, outcome: str) -> None:
        fields = {"payment_method_token": outcome, "reference": f"{scene.name}-order"}
        scene.shop.pay(f"{scene.name}-{number}", **fields)

    scene.together(lambda: order(1, "tok_declined"), lambda: order(2, "tok_declined"))
    scene.sleep(SETTLED_SECONDS)
    order(3, "tok_ok")


def canceled_twice(scene: Scene) -> None:
    """A merchant whose two servers cancel at once, each with a key of its own."""
    payment_id = scene.pay(ends=("completed", "canceled"))
    scene.together(
        lambda: scene.shop.cancel(payment_id, f"{scene.name}-cancel-1"),
        lambda: scene.shop.cancel(payment_id, f"{scene.name}-cancel-2"),
    )


def cancel_races_charge(scene: Scene) -> None:
    """A merchant cancels while the payment is on its way to the gateway."""
    payment_id = scene.pay(ends=("completed", "canceled"))
    scene.sleep(1.2 * scene.draw("wait"))
    scene.shop.cancel(payment_id, f"{scene.name}-cancel")


def _fallback(play: Play) -> None:
    play.act("outage", lambda: _outage(play, OUTAGE_SECONDS))
    play.begin(completed, 0, "p0")


def _silent_then_down(play: Play) -> None:
    """The PSP charges without an answer, and is down when it is asked: nobody else may charge."""

    def then_down() -> None:
        play.world.kernel.sleep(SILENT_SECONDS)
        _outage(play, 2 * OUTAGE_SECONDS)

    play.act("outage", then_down)
    play.begin(timeout_after_charge, 0, "p0")


def _error_then_charge(play: Play) -> None:
    """The PSP answers by an error and charges all the same, some seconds later."""

    def first_charge() -> None:
        play.world.kernel.sleep(ERROR_SECONDS)
        play.world.psp.failing.discard("simulator")

    play.world.psp.failing.add("simulator")
    play.act("error", first_charge)
    play.begin(completed, 0, "p0")


def _outage(play: Play, seconds: float) -> None:
    play.world.psp.down.add("simulator")
    play.world.kernel.sleep(seconds)
    play.world.psp.down.discard("simulator")


CARDS = (
    told_once("card-completed", completed),
    told_once("card-declined", declined),
    told_once("card-softly-declined", softly_declined),
    told_once("card-declined-in-the-end", declined_in_the_end),
    told_once("card-slow", slow),
    told_once("card-unavailable", unavailable),
    Scenario("card-fallback", _fallback),
    Scenario("card-silent-then-down", _silent_then_down),
    Scenario("card-error-then-charge", _error_then_charge),
    told_once("card-timeout-after-charge", timeout_after_charge),
    told_once("card-timeout-before-charge", timeout_before_charge),
    told_once("card-wrong-amount", wrong_amount),
    told_once("card-wrong-reference", wrong_reference),
    told_once("card-poisoned", poisoned, leaves_letters=True),
    told_once("card-twice-at-once", twice_at_once),
    told_once("card-same-key-other-body", same_key_other_body),
    told_once("card-same-key-after-days", same_key_after_days),
    told_once("card-same-reference", same_reference),
    told_once("card-canceled-twice", canceled_twice),
    told_once("card-cancel-races-charge", cancel_races_charge),
)
