"""What each answer of a PSP means for a payment in each status: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from riel.domain.money import Money
from riel.domain.payment import (
    TRANSITIONS,
    Attention,
    Change,
    Method,
    NextAction,
    Payment,
    Status,
    Transition,
)
from riel.gateways.base import Awaiting, Charged, Declined, NotFound, Outcome, Voided
from riel.services.mismatch import Contradiction
from riel.services.outcomes import Noted, Unchanged, judge
from tests.builders import NOON, make_payment

GRACE = timedelta(hours=1)
EXPIRES = NOON + timedelta(days=3)
ACTION = NextAction("oxxo_voucher", EXPIRES, reference="12345678901234")
ASKED = Money(10_050, "MXN")
PAYMENT = make_payment(amount=ASKED, method=Method.OXXO)
ID = PAYMENT.payment_id
S = Status
PATHS = {
    S.PROCESSING: [],
    S.AWAITING_PAYMENT: [S.AWAITING_PAYMENT],
    S.COMPLETED: [S.AWAITING_PAYMENT, S.COMPLETED],
    S.EXPIRED: [S.AWAITING_PAYMENT, S.EXPIRED],
    S.CANCELED: [S.AWAITING_PAYMENT, S.CANCELED],
    S.FAILED: [S.FAILED],
    S.IN_REVIEW: [S.IN_REVIEW],
}


def stands(status: Status, received: int = 0) -> Payment:
    """A voucher's payment in this status, as the table of edges lets it come there."""
    steps = [S.PENDING, S.PROCESSING, *PATHS[status]]
    history = tuple(Transition(n, step, NOON, "test") for n, step in enumerate(steps, start=1))
    has_voucher = S.AWAITING_PAYMENT in steps
    return replace(
        PAYMENT,
        history=history,
        received_minor=ASKED.minor if status is S.COMPLETED else received,
        next_action=ACTION if has_voucher else None,
        gateway_reference="ref" if has_voucher else None,
        due_at=EXPIRES + GRACE if status is S.AWAITING_PAYMENT else None,
    )


def charged(received: int = ASKED.minor) -> Charged:
    return Charged(ID, ASKED, "ref", Money(received, "MXN"))


def awaiting(received: int = 0) -> Awaiting:
    return Awaiting(ID, ASKED, "ref", ACTION, Money(received, "MXN"))


def voided(received: int = 0) -> Voided:
    return Voided(ID, ASKED, "ref", Money(received, "MXN"))


DECLINED = Declined(ID, ASKED, "card_declined", "no")


def told(payment: Payment, outcome: Outcome | NotFound, days: float = 0) -> str:
    """The verdict in a line."""
    match judge(payment, outcome, NOON + timedelta(days=days), GRACE):
        case Change(status=status, attention=attention):
            assert status in TRANSITIONS[payment.status], "every change is an edge"
            return " ".join(filter(None, (str(status), attention)))
        case Noted(payment=after):
            return " ".join(filter(None, ("noted", str(after.received_minor), after.attention)))
        case Contradiction(cause=cause):
            return f"contradiction {cause}"
        case Unchanged():
            return "unchanged"


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        (S.PROCESSING, charged(), "completed"),
        (S.PROCESSING, charged(20_000), "completed overpaid"),
        (S.PROCESSING, DECLINED, "failed"),
        (S.PROCESSING, awaiting(), "awaiting_payment"),
        (S.PROCESSING, voided(), "failed"),
        (S.PROCESSING, voided(50), "in_review"),
        (S.PROCESSING, NotFound(), "unchanged"),
        (S.AWAITING_PAYMENT, charged(), "completed"),
        (S.AWAITING_PAYMENT, charged(20_000), "completed overpaid"),
        (S.AWAITING_PAYMENT, awaiting(), "unchanged"),
        (S.AWAITING_PAYMENT, awaiting(5_000), "noted 5000"),
        (S.AWAITING_PAYMENT, voided(), "expired"),
        (S.AWAITING_PAYMENT, voided(5_000), "expired underpaid"),
        (S.AWAITING_PAYMENT, DECLINED, "contradiction declined_late"),
        (S.AWAITING_PAYMENT, NotFound(), "contradiction voucher_not_found"),
        (S.IN_REVIEW, charged(), "completed"),
        (S.IN_REVIEW, DECLINED, "failed"),
        (S.IN_REVIEW, voided(), "failed"),
        (S.IN_REVIEW, voided(50), "unchanged"),
        (S.IN_REVIEW, awaiting(), "unchanged"),
        (S.IN_REVIEW, NotFound(), "unchanged"),
        (S.COMPLETED, charged(), "unchanged"),
        (S.COMPLETED, charged(20_000), "noted 20000 overpaid"),
        (S.COMPLETED, DECLINED, "contradiction outcome_changed"),
        (S.COMPLETED, voided(), "contradiction amount_mismatch"),
        (S.COMPLETED, awaiting(), "contradiction amount_mismatch"),
        (S.COMPLETED, NotFound(), "unchanged"),
        (S.FAILED, charged(), "contradiction outcome_changed"),
        (S.FAILED, awaiting(), "contradiction outcome_changed"),
        (S.FAILED, DECLINED, "unchanged"),
        (S.FAILED, voided(), "unchanged"),
        (S.FAILED, NotFound(), "unchanged"),
        (S.EXPIRED, charged(), "completed late_payment"),
        (S.EXPIRED, awaiting(), "unchanged"),
        (S.EXPIRED, awaiting(700), "noted 700 underpaid"),
        (S.EXPIRED, voided(), "unchanged"),
        (S.EXPIRED, NotFound(), "unchanged"),
        (S.CANCELED, charged(), "completed late_payment"),
        (S.CANCELED, voided(), "unchanged"),
        (S.CANCELED, voided(700), "noted 700 underpaid"),
        (S.CANCELED, DECLINED, "unchanged"),
        (S.CANCELED, NotFound(), "unchanged"),
    ],
)
def test_what_an_answer_means_where_the_payment_stands(
    status: Status, outcome: Outcome | NotFound, expected: str
) -> None:
    assert told(stands(status), outcome) == expected


@pytest.mark.parametrize("status", [S.PROCESSING, S.AWAITING_PAYMENT, S.COMPLETED, S.EXPIRED])
@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda o: replace(o, amount=Money(10_051, "MXN")), "amount_mismatch"),
        (lambda o: replace(o, amount=Money(10_050, "USD")), "amount_mismatch"),
        (lambda o: replace(o, received=Money(10_050, "USD")), "amount_mismatch"),
        (lambda o: replace(o, received=Money(10_049, "MXN")), "amount_mismatch"),
        (lambda o: replace(o, payment_id="pay_other"), "reference_mismatch"),
    ],
)
def test_fc_34_an_answer_about_something_else_is_a_contradiction_wherever_it_comes(
    status: Status, spoil: Callable[[Charged], Charged], cause: str
) -> None:
    assert told(stands(status), spoil(charged())) == f"contradiction {cause}"


def test_a_card_is_charged_exactly_and_a_charge_keeps_its_reference() -> None:
    card = replace(stands(S.PROCESSING), method=Method.CARD)
    other = replace(charged(), reference="another")

    assert told(card, charged(10_051)) == "contradiction amount_mismatch"
    assert told(stands(S.AWAITING_PAYMENT), other) == "contradiction reference_mismatch"


def test_money_that_the_psp_had_told_of_does_not_go_away() -> None:
    assert told(stands(S.AWAITING_PAYMENT, received=700), awaiting(600)).startswith("contradiction")
    assert told(stands(S.AWAITING_PAYMENT, received=700), awaiting(700)) == "unchanged"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (awaiting(), "expired"),
        (awaiting(5_000), "expired underpaid"),
        (NotFound(), "expired contradiction"),
        (charged(), "completed"),
        (replace(charged(), payment_id="pay_other"), "contradiction reference_mismatch"),
    ],
)
def test_fc_40_a_voucher_expires_by_our_clock_and_its_grace(
    outcome: Outcome | NotFound, expected: str
) -> None:
    grace_is_over = 3 + 1 / 24

    assert "expired" not in told(stands(S.AWAITING_PAYMENT), outcome, grace_is_over - 0.001)
    assert told(stands(S.AWAITING_PAYMENT), outcome, grace_is_over) == expected


def test_a_voucher_that_agrees_again_needs_nobody_and_is_due_when_it_expires() -> None:
    moved = replace(
        stands(S.AWAITING_PAYMENT),
        due_at=NOON + timedelta(minutes=5),
        attention=Attention.CONTRADICTION,
        attention_reason="voucher_not_found",
    )

    verdict = judge(moved, awaiting(), NOON, GRACE)

    assert verdict == Noted(stands(S.AWAITING_PAYMENT))


def test_a_new_voucher_is_due_after_it_expires_and_its_grace() -> None:
    verdict = judge(stands(S.PROCESSING), awaiting(), NOON, GRACE)

    assert isinstance(verdict, Change)
    assert verdict.due_at == EXPIRES + GRACE
    assert verdict.next_action == ACTION
