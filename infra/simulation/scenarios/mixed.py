"""The random search's workload: many payments of some merchants, each a story by chance.

What happens to one payment follows from the seed and its own name, so a run with a payment less is
the same run for the others.
"""

from __future__ import annotations

from infra.simulation.plays import Play, Scenario, Scene, Story
from infra.simulation.scenarios import cards, pipeline, refunds, vouchers, webhooks

SHOPS = 3
BEGINS_WITHIN_SECONDS = 20.0
OUTAGE_CHANCE = 0.25
LONGEST_OUTAGE_SECONDS = 15.0
GAP_CHANCE = 0.25
LONGEST_GAP_SECONDS = 6.0

STORIES: tuple[tuple[Story, float], ...] = (
    (cards.completed, 4),
    (cards.declined, 1),
    (cards.softly_declined, 2),
    (cards.declined_in_the_end, 1),
    (cards.slow, 1),
    (cards.unavailable, 2),
    (cards.timeout_after_charge, 2),
    (cards.timeout_before_charge, 1),
    (cards.wrong_amount, 1),
    (cards.wrong_reference, 1),
    (cards.poisoned, 1),
    (cards.twice_at_once, 2),
    (cards.same_key_other_body, 1),
    (cards.same_reference, 1),
    (cards.canceled_twice, 1),
    (cards.cancel_races_charge, 3),
    (vouchers.paid, 2),
    (vouchers.transferred, 2),
    (vouchers.paid_in_parts, 1),
    (vouchers.paid_twice, 1),
    (vouchers.never_paid, 1),
    (vouchers.paid_short, 1),
    (vouchers.paid_late, 2),
    (vouchers.paid_at_the_end, 2),
    (vouchers.canceled, 2),
    (vouchers.cancel_races_payer, 3),
    (vouchers.canceled_after_a_part, 2),
    (vouchers.left_open, 1),
    (refunds.refunded, 2),
    (refunds.refunded_in_parts, 3),
    (refunds.refunded_twice, 2),
    (refunds.same_key_at_once, 1),
    (refunds.refund_timeout, 2),
    (refunds.refund_declined, 1),
    (refunds.refund_wrong_amount, 1),
    (webhooks.fails_first, 2),
    (webhooks.hangs_first, 1),
    (webhooks.slow_endpoint, 1),
    (webhooks.gone, 1),
    (webhooks.down_for_good, 1),
    (webhooks.hangs_for_good, 1),
    (webhooks.redelivered, 2),
    (webhooks.untold, 1),
    (pipeline.replayed, 1),
    (pipeline.forged, 1),
    (pipeline.lied_to, 1),
    (pipeline.repeated, 1),
    (pipeline.too_early, 1),
    (pipeline.foreign, 1),
    (pipeline.unmatched, 1),
)


def _mixed(play: Play) -> None:
    # All at the start, so that no run's merchants depend on which payments it has.
    play.shop(SHOPS - 1)
    for number in play.payments:
        _begin(play, f"p{number}")
    if play.world.kernel.draw("outage") < OUTAGE_CHANCE:
        play.act("outage", lambda: _outage(play))
    if play.world.kernel.draw("gap") < GAP_CHANCE:
        play.act("gap", lambda: _gap(play))


def _begin(play: Play, name: str) -> None:
    draw = play.world.kernel.draw
    story = _chosen(draw("chosen", name))

    def later(scene: Scene) -> None:
        scene.sleep(BEGINS_WITHIN_SECONDS * draw("begins", name))
        story(scene)

    play.begin(later, int(SHOPS * draw("shop", name)), name)


def _chosen(draw: float) -> Story:
    left = draw * sum(weight for _, weight in STORIES)
    for story, weight in STORIES:
        left -= weight
        if left < 0:
            return story
    return STORIES[-1][0]


def _outage(play: Play) -> None:
    kernel = play.world.kernel
    kernel.sleep(BEGINS_WITHIN_SECONDS * kernel.draw("outage begins"))
    play.world.psp.down.add("simulator")
    kernel.sleep(LONGEST_OUTAGE_SECONDS * kernel.draw("outage lasts"))
    play.world.psp.down.discard("simulator")


def _gap(play: Play) -> None:
    """The stream has forgotten some seconds, as after a day in which nobody read it."""
    kernel, dynamodb = play.world.kernel, play.world.dynamodb
    kernel.sleep(BEGINS_WITHIN_SECONDS * kernel.draw("gap begins"))
    take, dynamodb.on_change = dynamodb.on_change, None
    kernel.sleep(LONGEST_GAP_SECONDS * kernel.draw("gap lasts"))
    dynamodb.on_change = take


MIXED = Scenario("mixed", _mixed, leaves_letters=True)
