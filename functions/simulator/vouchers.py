"""Vouchers: OXXO references and CLABEs that a payer pays later, short, twice, late or never."""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.simulator.charges import Charge, Status
from functions.simulator.events import tell
from functions.simulator.world import RefusedError, World
from riel.domain.instants import from_text, to_text

LIFE = timedelta(hours=72)
SOON = timedelta(seconds=5)
MAX_MINOR = 10**14
_BANK_AND_PLAZA = "646180"
_WEIGHTS = (3, 7, 1)
_TRIES = 50


def number(method: str, digest: str) -> str:
    """Derive what the payer types: 14 digits for OXXO, 18 with a control digit for SPEI."""
    digits = f"{int(digest, 16):080d}"
    # No card's number starts with 93, so that no filter takes a reference for one.
    return f"93{digits[-12:]}" if method == "oxxo" else _clabe(_BANK_AND_PLAZA + digits[-11:])


def _clabe(digits: str) -> str:
    products = (int(digit) * _WEIGHTS[n % 3] % 10 for n, digit in enumerate(digits))
    return f"{digits}{(10 - sum(products) % 10) % 10}"


def expiry(now: datetime, asked: str, token: str) -> str:
    """Say until when a voucher may be paid: the PSP's word, which may differ from what was asked.

    Raises ValueError for an instant without a time zone.
    """
    if token == "tok_expires_soon":
        return to_text(now + SOON)
    return to_text(from_text(asked) if asked else now + LIFE)


def pay(world: World, payment_id: str, minor: int | None, deposit_id: str) -> Charge:
    """Take a payer's money: `minor` units, or what is left (the whole again when nothing is).

    Money is taken after the expiry and after a void too; what to do about that is the caller's.
    """
    if minor is not None and not (type(minor) is int and 0 < minor <= MAX_MINOR):
        raise ValueError("amount is a positive whole number of minor units")
    for _ in range(_TRIES):
        before = _voucher(world, payment_id)
        if deposit_id in before.deposits:
            if minor not in (None, before.deposits[deposit_id]):
                raise RefusedError(409, "this deposit has come with another amount")
            return before
        after = _deposit(world, before, deposit_id, minor)
        if after:
            tell(world, f"charge.{_what_came(after)}", after)
            return after
    raise RefusedError(409, "too many deposits, or too many at once")


def void(world: World, gateway: str, key: str) -> Charge | None:
    """Void a voucher that waits; what does not wait stays what it is."""
    known = world.table.get(gateway, key)
    voided = world.table.void(known) if known else None
    if voided:
        tell(world, "charge.voided", voided)
        return voided
    return world.table.get(gateway, key) if known else None


def _deposit(world: World, charge: Charge, deposit_id: str, minor: int | None) -> Charge | None:
    if minor is not None:
        return world.table.deposit(charge, deposit_id, minor)
    rest = charge.amount - charge.received
    return world.table.deposit_rest(charge, deposit_id, rest if rest > 0 else charge.amount)


def _voucher(world: World, payment_id: str) -> Charge:
    charge = world.table.voucher_of(payment_id)
    if charge is not None:
        return charge
    if any(charge.payment_id == payment_id for charge in world.table.all()):
        raise RefusedError(409, "this payment has no voucher to pay")
    raise RefusedError(404, "no such payment")


def _what_came(charge: Charge) -> str:
    return "paid" if charge.status is Status.PAID else "partially_paid"
