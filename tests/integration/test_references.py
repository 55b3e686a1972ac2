"""A merchant's own order id belongs to one payment at a time."""

from __future__ import annotations

import pytest

from riel import ids
from riel.app import App
from riel.domain.events import payment_created
from riel.domain.payment import Applied, Change, Payment, Status, apply
from riel.errors import DuplicateReferenceError
from tests.builders import NOON, make_payment


def create(app: App, key: str, reference: str = "order-1", **fields: object) -> Payment | None:
    payment = make_payment(idempotency_key=key, reference=reference, **fields)
    return app.payments.create(
        payment, payment_created(ids.event_id(payment.payment_id, 1), payment)
    )


def end(app: App, key: str, *statuses: Status) -> None:
    """Move the payment of this key along its edges."""
    payment = app.payments.get(ids.payment_id("demo", False, key))
    assert payment is not None
    for status in statuses:
        applied = apply(payment, Change(status, NOON, "test"))
        assert isinstance(applied, Applied)
        event = payment_created(f"evt_{key}_{status}", applied.payment)
        assert app.payments.move(payment, applied.payment, event)
        payment = applied.payment


def test_a_second_payment_with_the_reference_is_refused_and_the_first_is_named(app: App) -> None:
    create(app, "first")

    with pytest.raises(DuplicateReferenceError, match=ids.payment_id("demo", False, "first")):
        create(app, "second")

    assert app.payments.get(ids.payment_id("demo", False, "second")) is None


def test_a_replay_is_judged_before_the_reference(app: App) -> None:
    create(app, "first")
    end(app, "first", Status.CANCELED)
    create(app, "second")

    first, second = create(app, "first"), create(app, "second")

    assert first is not None
    assert first.status == Status.CANCELED
    assert second is not None
    assert second.status == Status.PENDING


def test_merchants_modes_and_other_references_do_not_meet(app: App) -> None:
    assert create(app, "a") is None
    assert create(app, "b", "order-2") is None
    assert create(app, "c", livemode=True) is None
    assert create(app, "d", merchant_id="other") is None


@pytest.mark.parametrize(
    ("statuses", "is_free"),
    [
        ((Status.PROCESSING,), False),
        ((Status.PROCESSING, Status.IN_REVIEW), False),
        ((Status.PROCESSING, Status.COMPLETED), False),
        ((Status.PROCESSING, Status.AWAITING_PAYMENT), False),
        ((Status.CANCELED,), True),
        ((Status.PROCESSING, Status.FAILED), True),
        ((Status.PROCESSING, Status.AWAITING_PAYMENT, Status.EXPIRED), True),
        ((Status.CANCELED, Status.COMPLETED), False),
    ],
)
def test_only_a_payment_that_was_given_up_yields_its_reference(
    app: App, statuses: tuple[Status, ...], is_free: bool
) -> None:
    create(app, "first")
    end(app, "first", *statuses)

    if is_free:
        assert create(app, "second") is None
        with pytest.raises(DuplicateReferenceError, match=ids.payment_id("demo", False, "second")):
            create(app, "third")
    else:
        with pytest.raises(DuplicateReferenceError):
            create(app, "second")
