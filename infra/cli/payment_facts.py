"""What there is to say of a payment beside its history: as lines for a screen, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from infra.cli.durations import day_and_time
from infra.cli.refund_screens import acknowledged_documents
from riel.domain.attention import attention_words
from riel.domain.instants import from_epoch_milliseconds, to_text
from riel.domain.money import Money
from riel.domain.payment import Payment, Status
from riel.services.charging import charge_key
from riel.store.quarantine import PutAside

Fact = tuple[str, str]


def operators_fields(payment: Payment) -> dict[str, Any]:
    """Return what only an operator sees of a payment, for programs."""
    return {
        "merchant_id": payment.merchant_id,
        "attention_reason": payment.attention_reason,
        "attention_at": _text(payment.attention_at),
        "acknowledged": acknowledged_documents(payment),
        "gateway_reference": payment.gateway_reference,
        "gateway_key": charge_key(payment),
        "taken_up": payment.fence,
        "unknown_outcomes": payment.unknown_outcomes,
        "look_ups": payment.look_ups,
        "declines": list(payment.declines),
        "due_at": _text(_next_step(payment)),
    }


def facts(payment: Payment, quarantined: Sequence[PutAside] = ()) -> list[Fact]:
    """Name what is there to say, and say it; what is empty is left out."""
    found = [
        ("description", payment.description),
        ("merchant", payment.merchant_id),
        ("key", payment.idempotency_key),
        ("reference", payment.reference or ""),
        ("metadata", ", ".join(f"{k}={v}" for k, v in payment.metadata.items())),
        ("PSP's id", payment.gateway_reference or ""),
        # Nobody was asked yet, or a fallback may still name another one.
        ("PSP's key", charge_key(payment) if payment.fence else ""),
    ]
    if payment.failure:
        found.append(("failure", f"{payment.failure.code}: {payment.failure.message}"))
    found += [*_money(payment), *_waiting(payment), ("attention", attention_words(payment))]
    for letter in quarantined:
        told = f"{letter.queue}, by {letter.by} on {_minute(letter.at)}: {letter.reason}"
        found.append(("quarantined", told))
    for done in payment.acknowledged:
        told = f"{done.what}, by {done.who} on {_minute(done.at)}: {done.why}"
        found.append(("acknowledged", told))
    return [(name, value) for name, value in found if value]


def _money(payment: Payment) -> Iterator[Fact]:
    """Say what came and went, where that is not simply the amount."""
    is_plain = payment.received_minor == payment.amount.minor
    amounts = (
        ("received", 0 if is_plain else payment.received_minor),
        ("refunded", payment.refunded_minor),
        ("refunding", payment.reserved_minor - payment.refunded_minor),
    )
    for name, minor in amounts:
        if minor:
            yield name, f"{Money(minor, payment.amount.currency)} {payment.amount.currency}"


def _waiting(payment: Payment) -> Iterator[Fact]:
    if payment.status == Status.PROCESSING:
        told = [f"taken up {_times(payment.fence)}"]
        if payment.unknown_outcomes:
            lost = payment.unknown_outcomes
            told.append(f"{lost} {'answer' if lost == 1 else 'answers'} of the PSP lost")
        if payment.look_ups:
            told.append(f"looked up {_times(payment.look_ups)}")
        yield "waiting", ", ".join(told)
    yield "declined", ", then ".join(payment.declines)
    next_step = _next_step(payment)
    if next_step:
        yield "next step", f"{_second(next_step)} UTC"
    action = payment.next_action
    if action and payment.status == Status.AWAITING_PAYMENT:
        until = f"until {_second(action.expires_at)} UTC"
        yield "payer has to", f"{action.type} {action.reference or action.clabe}, {until}"


def _next_step(payment: Payment) -> datetime | None:
    """When the payment goes on by itself at the latest, where that is known."""
    if payment.due_at:
        return payment.due_at
    if payment.status == Status.PROCESSING and payment.not_before_ms and not payment.attention:
        return from_epoch_milliseconds(payment.not_before_ms)
    return None


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _second(at: datetime) -> str:
    return day_and_time(at)[:19]


def _minute(at: datetime) -> str:
    return day_and_time(at)[:16]


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at else None
