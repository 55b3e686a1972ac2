"""Lists of payments: what pages hold, and how often the table is asked."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riel.app import App
from riel.domain.payment import Payment, Status, Transition
from riel.errors import MalformedRequestError, StoreUnavailableError
from riel.services import list_payments as service
from riel.services.list_payments import ListingQuery, list_payments
from riel.services.read_payment import payment_view
from riel.store import batch_reads
from riel.store.listing import ListingStore
from riel.store.merchants import Caller, Limits, Merchant
from riel.store.payment_items import write_payment
from tests.builders import NOON, FakeClock, make_app, make_payment
from tests.unsure_reads import OldReads, PartialReads

_keys = itertools.count()


@pytest.fixture
def app(aws: Any, clock: FakeClock) -> App:
    return make_app(clock=clock)


@pytest.fixture
def calls(app: App) -> Counter[str]:
    """How often each operation of DynamoDB was called."""
    counted: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    app.dynamodb.meta.events.register("before-call.dynamodb", count)
    return counted


def caller(merchant_id: str = "demo", shards: int = 1, livemode: bool = False) -> Caller:
    merchant = Merchant(merchant_id, "Name", (), Limits(100, 100), "secret", shards)
    return Caller(merchant, livemode)


def put(app: App, owner: Caller, at: datetime = NOON, *after: Status, **fields: Any) -> Payment:
    """Write a payment that was created at this time and went on to these statuses."""
    statuses = (Status.PENDING, *after)
    payment = make_payment(
        merchant_id=owner.merchant_id,
        livemode=owner.livemode,
        idempotency_key=f"key-{next(_keys)}",
        history=tuple(Transition(n, s, at, "test") for n, s in enumerate(statuses, start=1)),
        **fields,
    )
    item = write_payment(payment, owner.merchant.listing_shards)
    app.dynamodb.put_item(TableName="payments", Item=item)
    return payment


def empty_the_table(app: App) -> None:
    """Delete all payments: one example's are not the next one's."""
    for item in app.dynamodb.scan(TableName="payments")["Items"]:
        key = {name: item[name] for name in ("pk", "sk")}
        app.dynamodb.delete_item(TableName="payments", Key=key)


def put_each_second(app: App, owner: Caller, count: int, *after: Status) -> list[Payment]:
    """Write so many payments, and return them in the order of a list."""
    return [put(app, owner, NOON + timedelta(seconds=n), *after) for n in range(count)][::-1]


def pages(app: App, owner: Caller, query: ListingQuery) -> Iterator[dict[str, Any]]:
    while True:
        page = list_payments(app, owner, query)
        assert page["has_more"] is (page["next_cursor"] is not None)
        yield page
        if not page["has_more"]:
            return
        query = replace(query, cursor=page["next_cursor"])


def walk(app: App, owner: Caller, query: ListingQuery) -> list[str]:
    return [one["id"] for page in pages(app, owner, query) for one in page["data"]]


def ids(payments: list[Payment]) -> list[str]:
    return [payment.payment_id for payment in payments]


def test_a_page_shows_payments_as_they_are_read_one_by_one_newest_first(app: App) -> None:
    older = put(app, caller(), NOON)
    newer = put(app, caller(), NOON + timedelta(milliseconds=1), Status.PROCESSING)

    page = list_payments(app, caller(), ListingQuery())

    assert page == {
        "data": [payment_view(newer), payment_view(older)],
        "has_more": False,
        "next_cursor": None,
    }


def test_a_merchant_without_payments_has_an_empty_list(app: App) -> None:
    page = list_payments(app, caller(), ListingQuery())

    assert page == {"data": [], "has_more": False, "next_cursor": None}


@pytest.mark.parametrize(("count", "pages_wanted"), [(4, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_has_more_is_exact_at_the_edge_of_a_page(app: App, count: int, pages_wanted: int) -> None:
    put_each_second(app, caller(), count)

    found = [len(page["data"]) for page in pages(app, caller(), ListingQuery(limit=5))]

    assert len(found) == pages_wanted
    assert found[:-1] == [5] * (pages_wanted - 1)
    assert sum(found) == count


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    milliseconds=st.lists(st.integers(0, 8), max_size=12),
    shards=st.lists(st.integers(1, 16), min_size=12, max_size=12).map(sorted),
    limit=st.integers(1, 9),
    added=st.lists(st.integers(9, 12), max_size=4),
)
def test_walking_yields_every_payment_once_newest_first(
    app: App, milliseconds: list[int], shards: list[int], limit: int, added: list[int]
) -> None:
    """Whatever the limit, equal milliseconds, shards that grew, and payments that come meanwhile.

    What comes while somebody walks is newer than where the walk stands, so it moves nothing.
    """
    empty_the_table(app)
    written = [
        put(app, caller(shards=count), NOON + timedelta(milliseconds=at))
        for at, count in zip(milliseconds, shards, strict=False)
    ]
    owner = caller(shards=shards[-1])

    walked = []
    for page in pages(app, owner, ListingQuery(limit=limit)):
        walked += page["data"]
        if added:
            put(app, owner, NOON + timedelta(milliseconds=added.pop()))

    expected = sorted(written, key=lambda p: (p.created_at, p.payment_id), reverse=True)
    assert [one["id"] for one in walked] == ids(expected)


def test_payments_of_the_walks_own_millisecond_that_come_meanwhile_repeat_nothing(app: App) -> None:
    before = [put(app, caller()) for _ in range(6)]

    walked = []
    for page in pages(app, caller(), ListingQuery(limit=2)):
        walked += [one["id"] for one in page["data"]]
        put(app, caller())
        if len(walked) > 20:
            break

    assert len(set(walked)) == len(walked)
    assert set(ids(before)) <= set(walked)


@pytest.mark.parametrize("shards", [1, 4])
def test_a_list_never_shows_what_is_of_another_merchant_or_mode(app: App, shards: int) -> None:
    owners = [
        caller(name, shards, livemode)
        for name in ("demo", "dem", "demo2")
        for livemode in (True, False)
    ]
    written = {id(owner): put_each_second(app, owner, 3) for owner in owners}

    for owner in owners:
        assert walk(app, owner, ListingQuery(limit=2)) == ids(written[id(owner)])


def test_a_range_includes_its_begin_and_excludes_its_end_to_the_millisecond(app: App) -> None:
    times = [NOON + timedelta(milliseconds=n) for n in range(5)]
    payments = [put(app, caller(), at) for at in times]

    query = ListingQuery(limit=1, created_from=times[1], created_to=times[3])

    assert walk(app, caller(), query) == ids([payments[2], payments[1]])
    assert walk(app, caller(), ListingQuery(created_from=times[3])) == ids(payments[:2:-1])
    assert walk(app, caller(), ListingQuery(created_to=times[2])) == ids(payments[1::-1])


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_range_that_ends_before_it_begins_is_empty(app: App, seconds: int) -> None:
    put(app, caller())
    end = NOON - timedelta(seconds=seconds)

    query = ListingQuery(created_from=NOON, created_to=end)

    assert list_payments(app, caller(), query)["data"] == []


def test_a_status_is_that_of_now_and_pages_are_filled(app: App) -> None:
    payments = [
        put(app, caller(), NOON - timedelta(seconds=n), *((Status.CANCELED,) if n % 3 else ()))
        for n in range(30)
    ]

    query = ListingQuery(limit=4, status=Status.PENDING)
    found = [len(page["data"]) for page in pages(app, caller(), query)]

    assert walk(app, caller(), query) == ids(payments[::3])
    assert found[:2] == [4, 4]


def test_a_rare_status_gives_empty_pages_that_go_on_and_examine_a_bounded_number(
    app: App, calls: Counter[str]
) -> None:
    rare = put(app, caller(), NOON - timedelta(seconds=1), Status.CANCELED)
    put_each_second(app, caller(), service.MAX_EXAMINED)
    calls.clear()
    query = ListingQuery(status=Status.CANCELED)

    first = list_payments(app, caller(), query)

    assert (first["data"], first["has_more"]) == ([], True)
    assert calls == {"Query": 1, "BatchGetItem": 2}
    assert walk(app, caller(), query) == [rare.payment_id]


def test_a_page_of_very_large_payments_ends_before_it_is_too_large(app: App) -> None:
    metadata = {f"key-{n}": '"' * 500 for n in range(50)}
    payments = [
        put(app, caller(), NOON - timedelta(seconds=n), metadata=metadata) for n in range(60)
    ]

    found = list(pages(app, caller(), ListingQuery(limit=100)))

    assert [one["id"] for page in found for one in page["data"]] == ids(payments)
    assert [len(page["data"]) for page in found] == [48, 12]


@pytest.mark.parametrize("shards", [1, 3])
def test_a_page_costs_a_query_for_each_shard_and_one_read_of_all(
    app: App, calls: Counter[str], shards: int
) -> None:
    owner = caller(shards=shards)
    put_each_second(app, owner, 30)
    calls.clear()

    list_payments(app, owner, ListingQuery())

    assert calls == {"Query": shards, "BatchGetItem": 1}


def test_one_payment_of_years_ago_is_found_by_one_query(app: App, calls: Counter[str]) -> None:
    old = put(app, caller(), NOON - timedelta(days=9 * 365))
    calls.clear()

    page = list_payments(app, caller(), ListingQuery())

    assert [one["id"] for one in page["data"]] == [old.payment_id]
    assert calls == {"Query": 1, "BatchGetItem": 1}


@pytest.mark.parametrize(
    ("other", "change"),
    [
        (caller("other"), {}),
        (caller(livemode=True), {}),
        (caller(), {"status": Status.FAILED}),
        (caller(), {"created_from": NOON}),
        (caller(), {"created_to": NOON}),
    ],
)
def test_fc_25_a_cursor_is_good_for_its_own_list_alone(
    app: App, other: Caller, change: dict[str, Any]
) -> None:
    put_each_second(app, caller(), 3)
    cursor = list_payments(app, caller(), ListingQuery(limit=1))["next_cursor"]

    with pytest.raises(MalformedRequestError) as caught:
        list_payments(app, other, ListingQuery(cursor=cursor, **change))

    assert caught.value.code == "invalid_cursor"
    assert list_payments(app, caller(), ListingQuery(limit=2, cursor=cursor))["has_more"] is False


@pytest.mark.parametrize("cursor", ["", "garbage", "é", "A" * 10_240])
def test_fc_25_a_bad_cursor_is_refused_before_the_table_is_asked(
    app: App, calls: Counter[str], cursor: str
) -> None:
    with pytest.raises(MalformedRequestError):
        list_payments(app, caller(), ListingQuery(cursor=cursor))

    assert not calls


def test_fc_25_a_cursor_expires(app: App, clock: FakeClock) -> None:
    put_each_second(app, caller(), 3)
    cursor = list_payments(app, caller(), ListingQuery(limit=1))["next_cursor"]
    clock.advance(24 * 3600)

    with pytest.raises(MalformedRequestError):
        list_payments(app, caller(), ListingQuery(cursor=cursor))


def positions(payments: list[Payment]) -> list[str]:
    return [write_payment(payment)["listing_sk"]["S"] for payment in payments]


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_reads, "UNPROCESSED_WAIT_SECONDS", 0)


@pytest.mark.usefixtures("_no_waiting")
def test_fc_64_what_a_batch_left_out_is_asked_for_again(app: App) -> None:
    payments = put_each_second(app, caller(), 5)
    dynamodb: Any = PartialReads(app.dynamodb, 2)

    found = list(ListingStore(dynamodb, "payments").payments(positions(payments)))

    assert [payment for _, payment in found] == payments
    assert dynamodb.asked == [5, 4, 3]
    assert dynamodb.consistent == [False, False, False]


def test_a_payment_that_a_cheap_read_misses_is_read_again(app: App) -> None:
    payments = put_each_second(app, caller(), 3)
    dynamodb: Any = OldReads(app.dynamodb, payments[1].payment_id)

    found = list(ListingStore(dynamodb, "payments").payments(positions(payments)))

    assert [payment for _, payment in found] == payments


@pytest.mark.usefixtures("_no_waiting")
def test_fc_64_what_is_left_out_again_and_again_is_unavailable(app: App) -> None:
    payments = put_each_second(app, caller(), 20)
    dynamodb: Any = PartialReads(app.dynamodb, 99)

    with pytest.raises(StoreUnavailableError):
        list(ListingStore(dynamodb, "payments").payments(positions(payments)))
    assert len(dynamodb.asked) == batch_reads.MAX_TRIES


def test_a_payment_that_was_deleted_by_hand_is_left_out_and_the_list_goes_on(app: App) -> None:
    payments = put_each_second(app, caller(), 4)
    gone = payments[1]
    item = app.dynamodb.get_item(
        TableName="payments", Key={"pk": {"S": gone.payment_id}, "sk": {"S": "payment"}}
    )["Item"]
    # As the index shows it while it lags: the entry is there, the payment is not.
    app.dynamodb.put_item(TableName="payments", Item={**item, "sk": {"S": "ghost"}})
    app.dynamodb.delete_item(TableName="payments", Key={"pk": item["pk"], "sk": item["sk"]})

    assert walk(app, caller(), ListingQuery(limit=2)) == ids(
        [payment for payment in payments if payment != gone]
    )
