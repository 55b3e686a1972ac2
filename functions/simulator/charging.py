"""How the simulator charges: decided by token, or by the payment's id so that a retry is alike."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from functions.simulator import vouchers
from functions.simulator.charges import Charge, Status
from functions.simulator.events import tell
from functions.simulator.world import RefusedError, World
from riel.domain.instants import epoch_milliseconds, to_text

UNAVAILABLE_SECONDS = 3
SLOW_SECONDS = 6.0
"""Slow, and yet within the patience of a caller that waits for eight seconds."""
METHODS = frozenset({"card", "oxxo", "spei"})
DECLINES = {
    "tok_declined": "card_declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_issuer_unavailable": "issuer_unavailable",
}
VOUCHER_DECLINES = dict.fromkeys(("card_declined", "insufficient_funds"), "voucher_declined")
"""What is said instead where there is no card."""
TOKENS = DECLINES.keys() | {
    "tok_ok",
    "tok_declined_once",
    "tok_timeout_after_charge",
    "tok_timeout_before_charge",
    "tok_unavailable",
    "tok_slow",
    "tok_wrong_amount",
    "tok_wrong_currency",
    "tok_wrong_reference",
    "tok_poison",
    "tok_expires_soon",
    "tok_refund_declined",
    "tok_refund_timeout",
    "tok_refund_wrong_amount",
}
SOMEBODY_ELSES = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa"
"""The payment that `tok_wrong_reference` names."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a charge or a voucher; `amount` is in minor units."""

    gateway: str
    idempotency_key: str
    payment_id: str
    amount: int
    currency: str
    method: str = "card"
    token: str | None = None
    expires_at: str = ""
    events_url: str = ""


def charge(world: World, ask: Ask) -> Charge:
    """Charge once per key, or raise RefusedError where the token asks for that."""
    with world.capacity.place(ask.gateway):
        world.take_time()
        known = world.table.get(ask.gateway, ask.idempotency_key)
        if known and known.status is not Status.POISONED:
            return known
        token = _token(world, ask)
        _hesitate(world, ask, token)
        counted, is_new = world.table.put(_decide(world, ask, token))
        if is_new and counted.status is not Status.POISONED:
            tell(world, f"charge.{counted.status}", counted)
        if token == "tok_timeout_after_charge":
            world.never_answer()
        return counted


def look_up(world: World, gateway: str, key: str) -> Charge | None:
    """Find what became of a key; a healed poison is as good as never asked."""
    known = world.table.get(gateway, key)
    if known and known.status is Status.POISONED and world.table.forced(known.payment_id):
        return None
    return known


def _token(world: World, ask: Ask) -> str:
    token = world.table.forced(ask.payment_id) or ask.token
    if token in TOKENS:
        return str(token)
    # Who holds a voucher pays or does not: chance is for cards.
    if ask.method != "card":
        return "tok_ok"
    # No token, or one of a real PSP: the success rate decides, by the payment's id.
    draw = int.from_bytes(hashlib.sha256(ask.payment_id.encode()).digest()[:4], "big") / 2**32
    return "tok_ok" if draw < world.config.success_rate else "tok_declined"


def _hesitate(world: World, ask: Ask, token: str) -> None:
    if token == "tok_timeout_before_charge":
        world.never_answer()
    if token == "tok_slow":
        world.sleep(SLOW_SECONDS)
    if token == "tok_unavailable" and ask.gateway != "standby":
        now = epoch_milliseconds(world.clock())
        first, _ = world.table.first_seen(ask.payment_id, ask.idempotency_key, now)
        if now - first < UNAVAILABLE_SECONDS * 1000:
            raise RefusedError(503, "try later")


def _decide(world: World, ask: Ask, token: str) -> Charge:
    declined = DECLINES.get(token, "")
    if token == "tok_declined_once" and _is_first(world, ask):
        declined = "issuer_unavailable"
    if ask.method != "card":
        declined = VOUCHER_DECLINES.get(declined, declined)
    state = Status.SUCCEEDED if ask.method == "card" else Status.AWAITING
    if declined:
        state = Status.DECLINED
    if token == "tok_poison":
        state = Status.POISONED
    amount = ask.amount + (1 if token == "tok_wrong_amount" else 0)
    digest = hashlib.sha256(f"{ask.gateway}#{ask.idempotency_key}".encode()).hexdigest()
    is_waiting = state is Status.AWAITING
    return Charge(
        idempotency_key=ask.idempotency_key,
        charge_id=f"sim_{digest[:24]}",
        gateway=ask.gateway,
        payment_id=ask.payment_id,
        echo=SOMEBODY_ELSES if token == "tok_wrong_reference" else ask.payment_id,
        amount=amount,
        currency=_other(ask.currency) if token == "tok_wrong_currency" else ask.currency,
        method=ask.method,
        state=state,
        created_at=to_text(world.clock()),
        token=token,
        decline_code=declined,
        voucher=vouchers.number(ask.method, digest) if is_waiting else "",
        expires_at=vouchers.expiry(world.clock(), ask.expires_at, token) if is_waiting else "",
        events_url=ask.events_url,
        received=amount if state is Status.SUCCEEDED else 0,
    )


def _is_first(world: World, ask: Ask) -> bool:
    now = epoch_milliseconds(world.clock())
    return world.table.first_seen(ask.payment_id, ask.idempotency_key, now)[1] == (
        ask.idempotency_key
    )


def _other(currency: str) -> str:
    return "MXN" if currency == "USD" else "USD"
