"""The operator's look at a merchant's payments."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.cli.errors import OperatorError
from infra.cli.recent_payments import RecentPayments
from riel.app import App
from riel.domain.payment import Payment, Status, Transition
from riel.store.merchants import Limits, Merchant
from riel.store.payment_items import write_payment
from tests.builders import NOON, make_app, make_payment

DEMO = Merchant("demo", "Demo", (), Limits(1, 1), "secret")


class Merchants:
    """A merchants' store in memory."""

    def __init__(self) -> None:
        self.known = {"demo": DEMO}

    def get(self, merchant_id: str) -> Merchant | None:
        return self.known.get(merchant_id)


@pytest.fixture
def merchants() -> Merchants:
    return Merchants()


@pytest.fixture
def app(aws: Any, merchants: Merchants) -> App:
    built = make_app()
    built.__dict__["merchants"] = merchants
    return built


def put(app: App, key: str, after: timedelta = timedelta(), shards: int = 1) -> Payment:
    history = (Transition(1, Status.PENDING, NOON + after, "created"),)
    payment = make_payment(idempotency_key=key, history=history)
    app.dynamodb.put_item(TableName="payments", Item=write_payment(payment, shards))
    return payment


def test_the_newest_come_first_however_old_they_are(app: App) -> None:
    oldest = put(app, "a", timedelta(days=-3000))
    older, newest = put(app, "b"), put(app, "c", timedelta(seconds=1))

    recent = RecentPayments(app, "demo", livemode=False)

    assert recent.read(10) == [newest, older, oldest]
    assert recent.read(2) == [newest, older]


def test_more_than_one_batch_is_read(app: App) -> None:
    payments = [put(app, f"key-{n}", timedelta(seconds=-n)) for n in range(120)]

    assert RecentPayments(app, "demo", livemode=False).read(1001) == payments


def test_a_day_is_a_utc_day(app: App) -> None:
    midnight = timedelta(hours=12)
    last = put(app, "a", midnight - timedelta(milliseconds=1))
    put(app, "b", midnight)
    first = put(app, "c", -midnight)
    put(app, "d", -midnight - timedelta(milliseconds=1))

    assert RecentPayments(app, "demo", False, "2026-04-17").read(10) == [last, first]
    assert RecentPayments(app, "demo", False, "2020-02-29").read(10) == []
    assert RecentPayments(app, "demo", True).read(10) == []


def test_shards_that_a_merchant_gets_during_a_watch_are_read(
    app: App, merchants: Merchants
) -> None:
    recent = RecentPayments(app, "demo", livemode=False)
    before = put(app, "a")
    assert recent.read(10) == [before]

    merchants.known["demo"] = replace(DEMO, listing_shards=16)
    after = [put(app, f"key-{n}", timedelta(seconds=9 - n), shards=16) for n in range(8)]

    assert recent.read(10) == [*after, before]


def test_an_unknown_merchant_is_said(app: App) -> None:
    with pytest.raises(OperatorError) as caught:
        RecentPayments(app, "nobody", livemode=False).read(1)

    assert caught.value.message == "There is no merchant nobody on the stage local."
    assert "merchants list" in caught.value.hint
