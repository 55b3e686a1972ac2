"""What is news to a person, and what is not."""

from __future__ import annotations

from datetime import timedelta

from riel.domain.attention import acknowledge, attention_words, contradict
from riel.domain.payment import Applied, Change, Ignored, Payment, Status, apply
from tests.builders import NOON, make_payment

TOLD = "asked for 100.50 MXN, the PSP says 100.51 MXN"


def moved(payment: Payment, status: Status, cause: str, note: str = "") -> Payment:
    applied = apply(payment, Change(status, NOON, cause, note))
    assert isinstance(applied, Applied)
    return applied.payment


def decided() -> Payment:
    """A payment whose review an operator has ended."""
    claimed = moved(make_payment(), Status.PROCESSING, "claimed")
    review = moved(claimed, Status.IN_REVIEW, "amount_mismatch", TOLD)
    return moved(review, Status.COMPLETED, "resolved_by_operator", "root: case 4711")


def test_what_the_psp_said_before_a_decision_is_no_news_after_it() -> None:
    assert isinstance(contradict(decided(), f"amount_mismatch: {TOLD}", NOON), Ignored)


def test_another_word_of_the_psp_is_news_once() -> None:
    told = contradict(decided(), "outcome_changed: completed, and the PSP says declined", NOON)

    assert isinstance(told, Payment)
    assert attention_words(told).startswith("contradiction: outcome_changed")
    assert isinstance(contradict(told, told.attention_reason or "", NOON), Ignored)


def test_what_was_acknowledged_stays_so_until_the_psp_says_something_else() -> None:
    reason = "outcome_changed: completed, and the PSP says declined"
    told = contradict(decided(), reason, NOON)
    assert isinstance(told, Payment)
    done = acknowledge(told, "root", "case 4712", NOON + timedelta(hours=1))
    assert isinstance(done, Payment)

    assert done.attention is None
    assert isinstance(contradict(done, reason, NOON), Ignored)
    assert isinstance(contradict(done, reason + " again", NOON), Payment)
