"""What a person reads about a payment."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from infra.cli.flag_screens import switch_document, switches_table
from infra.cli.payment_facts import facts
from infra.cli.payment_screens import (
    payment_document,
    payments_table,
    print_payment,
    status_words,
)
from infra.cli.unserved import unserved_methods
from riel.domain.instants import epoch_milliseconds
from riel.domain.money import Money
from riel.domain.payment import (
    Acknowledgement,
    Failure,
    NextAction,
    Payment,
    Status,
    Transition,
)
from riel.domain.refund import Refund, RefundStatus, RefundTransition
from riel.services.charging import charge_key
from riel.services.list_deliveries import ToldEvent, delivery_view
from riel.services.read_payment import payment_view
from riel.store.deliveries import DELIVERED, FAILED, PENDING, Attempt, Delivery
from riel.store.quarantine import PutAside
from riel.store.switches import Switch
from tests.builders import NOON, make_payment


def paid(status: Status = Status.COMPLETED) -> Payment:
    history = (
        Transition(1, Status.PENDING, NOON, "created"),
        Transition(2, Status.PROCESSING, NOON + timedelta(milliseconds=120), "claimed"),
        Transition(3, status, NOON + timedelta(milliseconds=1500), "gateway_charged"),
    )
    return make_payment(history=history)


def told(**fields: Any) -> ToldEvent:
    attempts = (
        Attempt("2026-04-17T12:00:02.000Z", 500, 12, answer="[b]busy[/]\x1b[2J"),
        Attempt("2026-04-17T12:00:03.000Z", 0, 8, "connection_failed"),
        Attempt("2026-04-17T12:00:05.000Z", 204, 9),
    )
    defaults: dict[str, Any] = {
        "event_id": "evt_" + "a" * 26,
        "type": "payment.completed",
        "url": "http://x",
        "event_at": NOON,
        "state": DELIVERED,
        "attempts": attempts,
        "attempt_count": 3,
    }
    owner = {"payment_id": paid().payment_id, "merchant_id": "demo"}
    return ToldEvent(Delivery(**{**defaults, **owner, **fields}), 3)


def refund(**fields: Any) -> Refund:
    refund_id = "re_" + "a" * 26
    line = RefundTransition(1, RefundStatus.PENDING, NOON, "created")
    owner = {"payment_id": paid().payment_id, "merchant_id": "demo", "gateway": "simulator"}
    defaults = {"amount": Money(4_000, "MXN"), "fingerprint": "f", "history": (line,), **owner}
    return Refund(refund_id=refund_id, **{**defaults, **fields})


def put_aside() -> PutAside:
    return PutAside("payments", "m-1", "{}", NOON, 3, "huh", "ticket 1", "ana", NOON)


def screen(
    payment: Payment,
    *deliveries: ToldEvent,
    width: int = 80,
    refunds: Sequence[Refund] = (),
    letters: Sequence[PutAside] = (),
) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    print_payment(out, payment, deliveries, refunds, letters)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_the_history_tells_times_and_durations() -> None:
    text = screen(paid())
    lines = [" ".join(line.split()) for line in text.splitlines()]

    assert "1 pending 2026-04-17 12:00:00.000 created" in lines
    assert "2 processing 12:00:00.120 +120 ms claimed" in lines
    assert "3 completed 12:00:01.500 +1.38 s gateway_charged" in lines
    assert "in all 1.50 s" in lines


def test_each_attempt_of_a_webhook_is_shown() -> None:
    lines = [" ".join(line.split()) for line in screen(paid(), told(), width=160).splitlines()]

    assert f"evt_{'a' * 26} payment.completed delivered" in lines
    assert "2026-04-17 12:00:02.000 12 ms HTTP 500 [b]busy[/]·[2J" in lines
    assert "12:00:03.000 8 ms connection_failed" in lines
    assert "12:00:05.000 9 ms HTTP 204" in lines


def test_a_webhook_says_what_comes_next() -> None:
    waits = told(state=PENDING, next_at=NOON + timedelta(minutes=5))
    untried = told(state=PENDING, attempts=(), attempt_count=0)
    failed = told(state=FAILED, failure="out_of_attempts", attempt_count=33)

    def lines(shown: ToldEvent) -> list[str]:
        text = screen(paid(), shown, width=160)
        return [" ".join(line.split()) for line in text.splitlines()]

    assert "12:05:00.000 next attempt" in lines(waits)
    assert "not tried yet" in lines(untried)
    assert "and 30 before these" in lines(failed)
    assert f"evt_{'a' * 26} payment.completed failed out_of_attempts" in lines(failed)


def test_a_day_is_told_where_it_begins() -> None:
    tries = ("2026-04-17T23:59:59.000Z", "2026-04-18T00:00:01.000Z", "2026-04-18T08:00:00.000Z")
    attempts = tuple(Attempt(at, 500, 12) for at in tries)
    soon = told(state=PENDING, attempts=attempts, next_at=NOON + timedelta(hours=24))
    later = told(state=PENDING, attempts=attempts, next_at=NOON + timedelta(hours=36))
    untried = told(state=PENDING, attempts=(), attempt_count=0, next_at=NOON)

    def times(shown: ToldEvent) -> list[str]:
        lines = screen(paid(), shown).splitlines()
        head = next(n for n, line in enumerate(lines) if line.startswith("evt_"))
        return [line[:25].strip() for line in lines[head + 1 :]]

    tried = ["2026-04-17 23:59:59.000", "2026-04-18 00:00:01.000", "08:00:00.000"]
    assert times(soon) == [*tried, "12:00:00.000"]
    assert times(later) == [*tried, "2026-04-19 00:00:00.000"]
    assert times(untried) == ["2026-04-17 12:00:00.000"]


def test_a_history_tells_its_days_too() -> None:
    late = Transition(3, Status.COMPLETED, NOON + timedelta(days=2), "gateway_charged")
    history = (*paid().history[:2], late, replace(late, sequence=4))

    lines = [" ".join(line.split()) for line in screen(make_payment(history=history)).splitlines()]

    assert "3 completed 2026-04-19 12:00:00.000 +47 h 59 min gateway_charged" in lines
    assert "4 completed 12:00:00.000 +0 ms gateway_charged" in lines


@pytest.mark.parametrize("width", [80, 100, 120])
def test_on_a_terminal_ids_stay_whole_and_answers_are_wrapped(width: int) -> None:
    attempts = (Attempt("2026-04-17T12:00:02.000Z", 503, 14_999, answer="busy, " * 9 + "end"),)
    worst = told(
        type="payment.awaiting_payment",
        state=FAILED,
        failure="forbidden_destination",
        attempts=attempts,
        attempt_count=1,
    )
    returned = replace(told(type="refund.completed"), refund_id=refund().refund_id)
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)

    print_payment(out, paid(), [worst, returned], [refund(reason="not wanted")])

    assert isinstance(out.file, io.StringIO)
    lines = [line.rstrip() for line in out.file.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    heads = [line for line in lines if line.startswith("evt_")]
    assert [head.split()[0] for head in heads] == [worst.delivery.event_id] * 2
    assert heads[0].split()[1:3] == ["payment.awaiting_payment", "failed"]
    assert f"  of {refund().refund_id}" in lines
    assert any(line.split()[:1] == [refund().refund_id] for line in lines)
    text = " ".join(" ".join(lines).split())
    assert f"HTTP 503 {attempts[0].answer}" in text
    assert "forbidden_destination" in text


def test_deliveries_of_two_refunds_are_told_apart() -> None:
    refunded = told(type="refund.completed")
    both = [replace(refunded, refund_id=f"re_{letter * 26}") for letter in "ab"]

    lines = screen(paid(), *both).splitlines()

    found = [lines[n + 1] for n, line in enumerate(lines) if line.startswith("evt_")]
    assert found == [f"  of re_{letter * 26}" for letter in "ab"]


def test_a_payment_that_waits_says_that_nothing_was_sent() -> None:
    assert "sent when the payment is decided" in screen(make_payment())


def test_failure_and_attention_are_told_with_their_reasons() -> None:
    failed = replace(paid(Status.FAILED), failure=Failure("card_declined", "Declined."))
    stuck = make_payment(attention="dead_letter", attention_reason="psp_unmapped_status: huh")

    assert "card_declined: Declined." in screen(failed)
    assert "dead_letter: psp_unmapped_status: huh" in screen(stuck)


def test_what_the_payer_has_to_do_is_shown_while_it_helps() -> None:
    until = NOON + timedelta(days=1)
    slip = NextAction("oxxo_voucher", until, reference="12345678901234")
    transfer = NextAction("spei_transfer", until, clabe="646180157000000004")
    waiting = replace(paid(Status.AWAITING_PAYMENT), next_action=slip, received_minor=5_000)

    told = "oxxo_voucher 12345678901234, until 2026-04-18 12:00:00 UTC"
    assert told in screen(waiting)
    assert "received     50.00 MXN" in screen(waiting)
    assert "spei_transfer 646180157000000004" in screen(replace(waiting, next_action=transfer))
    assert "12345678901234" not in screen(replace(paid(), next_action=slip))


def test_every_label_stands_apart_from_what_it_says() -> None:
    action = NextAction("oxxo_voucher", NOON, reference="12345678901234")
    acknowledged = (Acknowledgement("overpaid", "ana", "sent back", NOON),)
    waiting = replace(paid(Status.AWAITING_PAYMENT), next_action=action, due_at=NOON)
    payment = replace(
        waiting, acknowledged=acknowledged, reference="r", gateway_reference="g", fence=1
    )

    lines = screen(payment, width=160, letters=[put_aside()]).splitlines()

    for name, value in facts(payment, [put_aside()]):
        assert any(line.split(f"{name} ", 1)[-1].strip() == value for line in lines), name
    assert "payer has to oxxo_voucher" in "\n".join(lines)


def test_a_payment_whose_letter_was_put_aside_says_who_did_it_and_why() -> None:
    dead = make_payment(attention="dead_letter", attention_reason="psp_unmapped_status: huh")

    text = screen(dead, width=160, letters=[put_aside()])

    assert "quarantined  payments, by ana on 2026-04-17 12:00: ticket 1" in text
    (letter,) = payment_document(dead, quarantined=[put_aside()])["quarantined"]
    assert (letter["by"], letter["reason"]) == ("ana", "ticket 1")


def test_a_payment_that_waits_says_what_was_tried_and_when_it_goes_on() -> None:
    first = replace(paid(), history=paid().history[:2], fence=1)
    later = replace(
        first,
        fence=3,
        unknown_outcomes=1,
        look_ups=2,
        declines=("issuer_unavailable", "issuer_unavailable"),
        not_before_ms=epoch_milliseconds(NOON + timedelta(minutes=10)),
    )

    assert "waiting      taken up once\n" in screen(first)
    text = screen(later, width=160)
    assert "taken up 3 times, 1 answer of the PSP lost, looked up 2 times" in text
    assert "declined     issuer_unavailable, then issuer_unavailable" in text
    assert "next step    2026-04-17 12:10:00 UTC" in text
    assert f"PSP's key    {charge_key(later)}" in text
    document = payment_document(later)
    assert document["declines"] == ["issuer_unavailable", "issuer_unavailable"]
    assert document["gateway_key"] == charge_key(later)
    assert (document["taken_up"], document["unknown_outcomes"], document["look_ups"]) == (3, 1, 2)
    assert document["due_at"] == "2026-04-17T12:10:00.000Z"


def test_a_refunded_payment_looks_refunded_in_a_list() -> None:
    payment = replace(paid(), received_minor=10_050, refunded_minor=10_050)

    assert status_words(payment).plain == "completed refunded"
    assert status_words(replace(payment, refunded_minor=1)).plain == "completed refunded in part"
    assert status_words(replace(payment, refunded_minor=0)).plain == "completed"


def test_a_gateway_that_is_off_leaves_its_methods_unserved_unless_another_takes_over() -> None:
    off = Switch(False, "ana", "down", NOON)

    assert unserved_methods("local", {"gateway.simulator": off}) == ["oxxo", "spei"]
    assert unserved_methods("local", {"method.card": off, "gateway.standby": None}) == ["card"]
    both = {"gateway.simulator": off, "gateway.standby": off}
    assert unserved_methods("local", both) == ["card", "oxxo", "spei"]
    assert unserved_methods("local", {"gateway.simulator": Switch(True, "ana", "up", NOON)}) == []


def test_refunds_are_shown_with_what_became_of_them() -> None:
    over = RefundTransition(2, RefundStatus.FAILED, NOON, "resolved_by_operator", "ana: case 4711")
    failed = refund(
        history=(*refund().history, over), failure=Failure("review_failed", "x"), reason="[b]No[/]"
    )
    puzzling = refund(attention="dead_letter", attention_reason="psp_unmapped_status: huh")
    payment = replace(paid(), received_minor=10_050, reserved_minor=6_000, refunded_minor=2_000)

    text = screen(payment, refunds=[failed, puzzling], width=160)

    assert failed.refund_id in text
    for words in ("40.00 MXN", "failed review_failed (ana: case 4711)", "[b]No[/]"):
        assert words in text
    assert "pending dead_letter: psp_unmapped_status: huh" in text
    assert "refunded     20.00 MXN" in text
    assert "refunding    40.00 MXN" in text
    assert "received" not in text, "it is the amount"
    document = payment_document(payment, (), [failed])["refunds"][0]
    assert (document["status"], document["history"][1]["note"]) == ("failed", "ana: case 4711")


def test_a_switch_that_was_never_set_is_on() -> None:
    off = Switch(False, "ana", "[b]down[/]", NOON)
    out = Console(file=io.StringIO(), width=100)
    out.print(switches_table({"gateway.simulator": off, "method.card": None}))
    assert isinstance(out.file, io.StringIO)
    lines = [" ".join(line.split()) for line in out.file.getvalue().splitlines()]

    assert lines[1:] == [
        "gateway.simulator off 2026-04-17 12:00 ana [b]down[/]",
        "method.card on never set",
    ]
    assert switch_document("method.card", None)["state"] == "on"


def test_markup_in_a_merchants_text_stays_text() -> None:
    text = screen(make_payment(description="[red]Order[/red] [/]", metadata={"[a]": "[/b]"}))

    assert "[red]Order[/red] [/]" in text
    assert "[a]=[/b]" in text


def test_an_id_is_never_broken_in_a_narrow_table() -> None:
    out = Console(file=io.StringIO(), width=80)
    out.print(payments_table([paid()]))
    assert isinstance(out.file, io.StringIO)

    assert paid().payment_id in out.file.getvalue()


def test_the_json_form_is_the_apis_form_and_more() -> None:
    document = payment_document(paid(), [told()])

    assert payment_view(paid()).items() <= document.items()
    (shown,) = document["deliveries"]
    assert delivery_view(told()).items() <= shown.items()
    assert shown["url"] == "http://x"
    assert shown["attempts"][1] == {
        "at": "2026-04-17T12:00:03.000Z",
        "status": None,
        "latency_ms": 8,
        "error": "connection_failed",
        "answer": None,
    }
