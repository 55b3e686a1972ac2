"""Laws of what a PSP's timeline does to a payment, however it is observed.

A PSP's events are reasons to look, so the order and number of events decide only when we look.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from riel.domain.money import Money
from riel.domain.payment import (
    TRANSITIONS,
    Applied,
    Attention,
    Change,
    Method,
    NextAction,
    Payment,
    Status,
    Transition,
    apply,
)
from riel.gateways.base import Awaiting, Charged, Declined, NotFound, Outcome, Voided
from riel.services.mismatch import Contradiction
from riel.services.outcomes import Noted, judge
from tests.builders import NOON, make_payment

GRACE = timedelta(hours=1)
MINOR = 10_000
ASKED = Money(MINOR, "MXN")
ACTION = NextAction("oxxo_voucher", NOON + timedelta(days=1), reference="1")
START = make_payment(
    amount=ASKED,
    method=Method.OXXO,
    history=(
        Transition(1, Status.PENDING, NOON, "created"),
        Transition(2, Status.PROCESSING, NOON, "claimed"),
    ),
)
ID = START.payment_id
Answer = Outcome | NotFound


def says(received: int, *, is_void: bool = False) -> Outcome:
    """The PSP's answer when so much has come in."""
    money = Money(received, "MXN")
    if received >= MINOR:
        return Charged(ID, ASKED, "ref", money)
    if is_void:
        return Voided(ID, ASKED, "ref", money)
    return Awaiting(ID, ASKED, "ref", ACTION, money)


def observe(payment: Payment, answer: Answer, hours: int = 0) -> Payment:
    """What one look makes of a payment; the first is that of its claim."""
    now = NOON + timedelta(hours=hours)
    verdict = judge(payment, answer, now, GRACE)
    if isinstance(verdict, Contradiction):
        if payment.status != Status.PROCESSING:
            return replace(payment, attention=Attention.CONTRADICTION)
        verdict = Change(Status.IN_REVIEW, now, verdict.cause)
    if isinstance(verdict, Change):
        applied = apply(payment, verdict)
        assert isinstance(applied, Applied), "a verdict is always an edge"
        return applied.payment
    return verdict.payment if isinstance(verdict, Noted) else payment


def timelines() -> st.SearchStrategy[list[Outcome]]:
    """Money comes in parts; perhaps the PSP closes the voucher in between."""

    def told(parts: list[int], closes_after: int) -> list[Outcome]:
        sums = [0, *itertools.accumulate(parts)]
        return [says(total, is_void=n >= closes_after) for n, total in enumerate(sums)]

    parts = st.lists(st.sampled_from([1, 2_500, 5_000, 10_000]), max_size=5)
    return st.builds(told, parts, st.integers(1, 7))


@given(timelines(), st.data())
def test_when_and_how_often_we_look_does_not_matter_for_where_a_payment_ends(
    timeline: list[Outcome], data: st.DataObject
) -> None:
    last = len(timeline) - 1
    looks = data.draw(st.lists(st.integers(0, last), max_size=12).map(sorted), "looks")

    payment = observe(START, timeline[0])
    once = observe(payment, timeline[last])
    for n in (*looks, last):
        payment = observe(payment, timeline[n])

    assert (payment.status, payment.received_minor) == (once.status, once.received_minor)


@given(timelines(), st.data())
def test_every_look_twice_is_every_look_once(timeline: list[Outcome], data: st.DataObject) -> None:
    hours = data.draw(st.lists(st.integers(0, 48), min_size=9, max_size=9).map(sorted), "hours")
    once = twice = START
    for answer, hour in zip(timeline, hours, strict=False):
        once = observe(once, answer, hour)
        twice = observe(observe(twice, answer, hour), answer, hour)

    lines = [(line.status, line.cause) for line in once.history]
    assert [(line.status, line.cause) for line in twice.history] == lines
    assert twice.received_minor == once.received_minor


@given(timelines(), st.data())
def test_answers_that_overtake_each_other_never_lose_money_or_leave_the_table(
    timeline: list[Outcome], data: st.DataObject
) -> None:
    answers: list[Answer] = [*timeline, NotFound()]
    shuffled = data.draw(st.lists(st.sampled_from(answers), min_size=1, max_size=12), "answers")
    hours = st.lists(st.integers(0, 48), min_size=12, max_size=12).map(sorted)

    payment, received, was_completed = START, 0, False
    for answer, hour in zip(shuffled, data.draw(hours, "hours"), strict=False):
        if payment.status == Status.PROCESSING and isinstance(answer, NotFound):
            continue  # doubt, which moves nothing: see test_doubt
        payment = observe(payment, answer, hour)
        assert payment.received_minor >= received
        assert payment.status == Status.COMPLETED or not was_completed
        received = payment.received_minor
        was_completed = payment.status == Status.COMPLETED

    steps = [line.status for line in payment.history]
    assert all(after in TRANSITIONS[before] for before, after in itertools.pairwise(steps))
    saw_it_paid = any(isinstance(answer, Charged) for answer in shuffled)
    if saw_it_paid:
        # One that was given up before ("failed": the PSP closed it) asks a person instead.
        asks = payment.attention is not None or payment.status == Status.IN_REVIEW
        assert payment.status == Status.COMPLETED or asks


@given(st.permutations([says(MINOR), Declined(ID, ASKED, "card_declined", "No.")]))
def test_two_answers_that_exclude_each_other_keep_the_first_and_ask_a_person(
    answers: list[Outcome],
) -> None:
    first = observe(START, answers[0])
    second = observe(first, answers[1])

    assert second.status == first.status
    assert second.history == first.history
    assert second.attention == Attention.CONTRADICTION


@given(st.integers(26, 1_000), st.sampled_from([MINOR, MINOR + 1, 3 * MINOR]))
def test_fc_57_late_money_takes_the_named_edge_whenever_it_comes(hours: int, received: int) -> None:
    expired = observe(observe(START, says(0)), says(0), hours=25)
    late = observe(expired, says(received), hours)

    assert expired.status == Status.EXPIRED
    assert late.status == Status.COMPLETED
    assert (late.received_minor, late.attention) == (received, Attention.LATE_PAYMENT)
