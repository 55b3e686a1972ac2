"""What a person reads about a payment."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from infra.cli.payment_screens import payment_document, payments_table, print_payment
from riel.domain.payment import Failure, Payment, Status, Transition
from riel.services.read_payment import payment_view
from riel.store.deliveries import DELIVERED, Attempt, Delivery
from tests.builders import NOON, make_payment


def paid(status: Status = Status.COMPLETED) -> Payment:
    history = (
        Transition(1, Status.PENDING, NOON, "created"),
        Transition(2, Status.PROCESSING, NOON + timedelta(milliseconds=120), "claimed"),
        Transition(3, status, NOON + timedelta(milliseconds=1500), "gateway_charged"),
    )
    return make_payment(history=history)


def delivery() -> Delivery:
    attempts = (
        Attempt("2026-04-17T12:00:02.000Z", 500, 12),
        Attempt("2026-04-17T12:00:03.000Z", 0, 8, "ConnectError"),
        Attempt("2026-04-17T12:00:05.000Z", 204, 9),
    )
    return Delivery("evt_1", "payment.completed", "http://x", DELIVERED, attempts)


def screen(payment: Payment, *deliveries: Delivery, width: int = 80) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    print_payment(out, payment, deliveries)
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
    text = screen(paid(), delivery())

    assert "payment.completed  delivered  3 attempts" in text
    assert "HTTP 500  12 ms" in text
    assert "ConnectError  8 ms" in text
    assert "HTTP 204  9 ms" in text


def test_a_payment_that_waits_says_that_nothing_was_sent() -> None:
    assert "sent when the payment is decided" in screen(make_payment())


def test_failure_and_attention_are_told_with_their_reasons() -> None:
    failed = replace(paid(Status.FAILED), failure=Failure("card_declined", "Declined."))
    stuck = make_payment(attention="dead_letter", attention_reason="psp_unmapped_status: huh")

    assert "card_declined: Declined." in screen(failed)
    assert "dead_letter: psp_unmapped_status: huh" in screen(stuck)


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
    document = payment_document(paid(), [delivery()])

    assert payment_view(paid()).items() <= document.items()
    assert document["deliveries"][0]["attempts"][1] == {
        "at": "2026-04-17T12:00:03.000Z",
        "status": 0,
        "latency_ms": 8,
        "error": "ConnectError",
    }
