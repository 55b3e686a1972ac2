"""What is read by time and by index: the outbox, lists of payments, and what is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from riel.app import App
from riel.domain.events import Event
from riel.store import keys, outbox
from riel.store.dynamodb import transact
from riel.store.items import encode
from riel.store.listing import Span
from riel.store.merchants import Caller, Limits, Merchant
from riel.store.outbox import Place, Unreadable
from tests.builders import NOON, make_payment, store_payment
from tests.payments import store_awaiting
from tests.store.conftest import Database

MINUTE = timedelta(minutes=1)


def caller(shards: int = 1, livemode: bool = False) -> Caller:
    merchant = Merchant("demo", "Demo", (), Limits(1, 1), "secret", shards)
    return Caller(merchant, livemode)


def write_events(app: App, count: int, step: timedelta = timedelta(seconds=7)) -> list[Event]:
    events = [
        Event(f"evt_{n:03}", "payment.created", f"pay_{n}", "demo", 1, NOON + n * step, "body")
        for n in range(count)
    ]
    table = app.config.required("outbox_table")
    transact(app.dynamodb, [outbox.put_action(table, event) for event in events])
    return events


def test_an_event_comes_back_as_it_was_written(app: App) -> None:
    (event,) = write_events(app, 1)

    assert app.outbox.get(event.at, event.payment_id, event.event_id) == event
    assert app.outbox.get(event.at + MINUTE, event.payment_id, event.event_id) is None


def test_a_range_of_the_outbox_is_read_in_order_with_its_begin_and_without_its_end(
    app: App,
) -> None:
    events = write_events(app, 30)

    found = list(app.outbox.between(events[3].at, events[21].at))

    assert found == events[3:21]


def test_the_outbox_is_walked_page_by_page_over_every_shard(app: App) -> None:
    events = write_events(app, 40, timedelta(milliseconds=1))
    place, found = Place(NOON), []
    while place.minute == NOON:
        page = app.outbox.page(place, limit=2)
        found += page.entries
        place = page.next

    assert sorted(found, key=str) == sorted(events, key=str)


def test_a_record_that_can_not_be_read_stops_no_walk(app: App, database: Database) -> None:
    (event,) = write_events(app, 1)
    pk, sk = keys.outbox_key(NOON, event.payment_id, "zzz")
    item = {"pk": encode(pk), "sk": encode(sk), "type": encode(7)}
    app.dynamodb.put_item(TableName=database.table("outbox"), Item=item)

    found = list(app.outbox.scan(NOON, NOON + MINUTE))

    assert event in found
    assert [entry.key for entry in found if isinstance(entry, Unreadable)] == [f"{pk} {sk}"]


def test_payments_are_listed_newest_first_and_page_by_page(app: App) -> None:
    stored = [store_payment(app, idempotency_key=f"k{n}", **created_at(n)) for n in range(7)]
    store_payment(app, idempotency_key="live", livemode=True)
    wanted = [payment.payment_id for payment in reversed(stored)]

    first = app.listing.newest(caller(), Span.of(None, None), 4)
    rest = app.listing.newest(caller(), Span.of(None, None, first[-1]), 4)
    middle = app.listing.newest(caller(), Span.of(NOON + MINUTE, NOON + 3 * MINUTE), 10)

    assert [position.partition("#")[2] for position in first + rest] == wanted
    assert [position.partition("#")[2] for position in middle] == wanted[4:6]
    assert [payment for _, payment in app.listing.payments(first, at_once=3)] == stored[:2:-1]


def created_at(minutes: int) -> dict[str, Any]:
    line = replace(make_payment().history[0], at=NOON + minutes * MINUTE)
    return {"history": (line,)}


def test_shards_of_a_list_are_merged(app: App) -> None:
    for number in range(9):
        payment = store_payment(app, idempotency_key=f"k{number}", **created_at(number))
        key = {"pk": encode(payment.payment_id), "sk": encode(keys.PAYMENT)}
        app.dynamodb.update_item(
            TableName=app.config.required("payments_table"),
            Key=key,
            UpdateExpression="SET listing_pk = :pk",
            ExpressionAttributeValues={
                ":pk": encode(keys.listing_partition("demo", False, number % 3))
            },
        )

    found = app.listing.newest(caller(shards=3), Span.of(None, None), 5)

    assert found == sorted(found, reverse=True)
    assert len(app.listing.newest(caller(shards=3), Span.of(None, None), 50)) == 9


def test_what_is_due_is_found_in_order_and_moved_once(app: App) -> None:
    payment = store_awaiting(app)
    assert payment.due_at is not None
    partition, sort_key = keys.due_key(payment.due_at, payment.gateway, payment.payment_id)

    assert list(app.due.until(partition, payment.due_at - MINUTE, 10)) == []
    ((due,),) = app.due.until(partition, payment.due_at, 10)
    assert (due.subject, due.sort_key) == ((payment.payment_id,), sort_key)

    assert app.due.postpone(due, payment.due_at + MINUTE)
    assert not app.due.postpone(due, payment.due_at + 2 * MINUTE)
    assert list(app.due.until(partition, payment.due_at, 10)) == []
    ((later,),) = app.due.until(partition, payment.due_at + MINUTE, 10)
    assert later.at == payment.due_at + MINUTE


def test_what_is_moved_while_it_is_read_does_not_come_again(app: App, database: Database) -> None:
    partition = keys.due_partition(3)
    for number in range(5):
        item = {
            "pk": encode(f"pay_{number}"),
            "sk": encode(keys.PAYMENT),
            "due_pk": encode(partition),
            "due_sk": encode(f"2026-04-17T12:00:0{number}.000Z#simulator#pay_{number}"),
        }
        app.dynamodb.put_item(TableName=database.table("payments"), Item=item)

    seen = []
    for page in app.due.until(partition, NOON + MINUTE, 2):
        seen += [due.subject for due in page]
        for due in page:
            assert app.due.postpone(due, NOON + 2 * MINUTE)

    assert seen == [(f"pay_{number}",) for number in range(5)]
    assert app.due.count(partition) == 5
