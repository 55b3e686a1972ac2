"""The inbox, merchants, switches, limits, watermarks, the quarantine and stored answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from riel.app import App
from riel.domain.rate_limit import Bucket
from riel.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from riel.services import stored_answers
from riel.services.stored_answers import StoredAnswers
from riel.store import keys
from riel.store.dynamodb import ConditionFailedError
from riel.store.inbox import InboxEvent, KeptBody, State
from riel.store.items import encode
from riel.store.limits import Backlog, Leased, Refused
from riel.store.merchant_records import ApiKey, MerchantRecord, MerchantRecords
from riel.store.merchants import Limits, Merchant
from riel.store.outbox import Place
from riel.store.quarantine import PutAside
from riel.store.switches import Switch
from tests.builders import NOON
from tests.store.conftest import Database

SECOND = 1_000_000_000
EVENT = InboxEvent("inb_1", "simulator", "e1", NOON, KeptBody("hash", 2, "utf-8", "{}"))


def stored(app: App) -> InboxEvent:
    found = app.inbox.get(EVENT.inbox_id)
    assert found is not None
    return found


def test_an_event_is_kept_once(app: App) -> None:
    assert app.inbox.put(EVENT) is None
    assert app.inbox.put(replace(EVENT, type="other")) == EVENT
    assert stored(app) == EVENT


def test_of_two_that_settle_an_event_one_does(app: App) -> None:
    app.inbox.put(EVENT)

    assert app.inbox.settle(EVENT, State.PROCESSED, "paid")
    assert not app.inbox.settle(EVENT, State.FOREIGN, "not ours")

    assert (stored(app).state, stored(app).done) == (State.PROCESSED, "paid")


def test_an_unmatched_event_waits_is_listed_and_never_expires(app: App, database: Database) -> None:
    app.inbox.put(EVENT)
    due_at = NOON + timedelta(hours=1)

    assert app.inbox.wait(EVENT, due_at)
    assert app.inbox.needing_a_person(State.UNMATCHED, 10) == []
    waiting = stored(app)
    assert app.inbox.settle(waiting, State.UNMATCHED, "given up")

    key = {"pk": encode(EVENT.inbox_id), "sk": encode(keys.INBOX)}
    item = app.dynamodb.get_item(TableName=database.table("payments"), Key=key)["Item"]
    assert "expires_at" not in item
    assert app.inbox.needing_a_person(State.UNMATCHED, 10) == [stored(app)]
    assert app.inbox.close(stored(app), "dealt with", NOON)
    assert app.inbox.needing_a_person(State.UNMATCHED, 10) == []
    assert not app.inbox.leave(waiting, "late"), "it was closed meanwhile"


def test_an_event_begins_anew_with_what_is_read_now(app: App) -> None:
    app.inbox.put(replace(EVENT, state=State.UNREADABLE))
    before = stored(app)

    assert app.inbox.begin_anew(before, replace(EVENT, type="charge.paid", at=NOON), NOON)

    assert (stored(app).state, stored(app).type, stored(app).at) == (
        State.RECEIVED, "charge.paid", NOON,
    )  # fmt: skip


def make_merchant(merchant_id: str = "mer_1") -> MerchantRecord:
    merchant = Merchant(merchant_id, "Shop", (), Limits(5, 10), "cursor")
    return MerchantRecord(merchant, (make_key(f"hash-{merchant_id}"),), NOON)


def make_key(key_hash: str) -> ApiKey:
    return ApiKey("key_1", key_hash, livemode=False, last4="abcd", created_at=NOON)


@pytest.fixture
def records(app: App) -> MerchantRecords:
    return MerchantRecords(app.dynamodb, app.config.required("merchants_table"))


def test_a_merchant_is_created_once_with_its_keys(app: App, records: MerchantRecords) -> None:
    record = make_merchant()

    records.create(record)
    with pytest.raises(ConditionFailedError):
        records.create(record)

    assert records.get("mer_1") == record
    owner = app.merchants.find_key("hash-mer_1")
    assert owner is not None
    assert (owner.merchant_id, owner.is_revoked) == ("mer_1", False)
    assert app.merchants.get("mer_1") == record.merchant
    assert app.merchants.find_key("hash-other") is None


def test_of_two_operators_at_once_one_is_refused(app: App, records: MerchantRecords) -> None:
    record = make_merchant()
    records.create(record)
    key, other = make_key("hash-2"), make_key("hash-3")

    records.save(replace(record, api_keys=(*record.api_keys, key)), key)
    with pytest.raises(ConditionFailedError):
        records.save(replace(record, api_keys=(*record.api_keys, other)), other)

    assert app.merchants.find_key("hash-3") is None
    read = records.get("mer_1")
    assert read is not None
    assert ([one.key_hash for one in read.api_keys], read.version) == (["hash-mer_1", "hash-2"], 2)


def test_no_merchant_takes_over_anothers_key(records: MerchantRecords) -> None:
    records.create(make_merchant())
    thief = make_merchant("mer_2")

    with pytest.raises(ConditionFailedError) as failed:
        records.create(replace(thief, api_keys=(make_key("hash-mer_1"),)))

    assert failed.value.position == 1
    assert [record.merchant.merchant_id for record in records.all()] == ["mer_1"]


def test_switches_are_set_one_by_one(app: App) -> None:
    first = Switch(False, "ana", "slow", NOON)
    second = Switch(True, "luis", "back", NOON)
    assert app.switch_store.read() == {}

    app.switch_store.write("gateway.simulator", first)
    app.switch_store.write("method.card", second)
    app.switch_store.write("gateway.simulator", replace(first, is_on=True))

    assert app.switch_store.read() == {
        "gateway.simulator": replace(first, is_on=True),
        "method.card": second,
    }


def test_a_bucket_gives_what_is_in_it_and_then_a_time(app: App) -> None:
    bucket, now = Bucket(rate=1, burst=5), 1_000 * SECOND

    first = app.limits.lease("bucket#m#test", bucket, 3, now)
    second = app.limits.lease("bucket#m#test", bucket, 3, now)
    third = app.limits.lease("bucket#m#test", bucket, 3, now)
    later = app.limits.lease("bucket#m#test", bucket, 1, now + SECOND)

    assert isinstance(first, Leased)
    assert isinstance(second, Leased)
    assert (first.tokens, second.tokens) == (3, 2)
    assert third == Refused(now + 5 * SECOND)
    assert later == Leased(1, now + 6 * SECOND)


def test_a_backlog_is_what_was_measured_last(app: App) -> None:
    assert app.limits.backlog("simulator") is None

    app.limits.record_backlog("simulator", 3, 200, NOON)
    app.limits.record_backlog("simulator", 4, 100, NOON)

    assert app.limits.backlog("simulator") == Backlog(4, 100, int(NOON.timestamp() * 1000))


def test_of_two_that_move_a_watermark_one_does(app: App) -> None:
    places = {"payments": Place(NOON, 3, "x"), "webhooks": Place(NOON)}
    moved = {**places, "webhooks": Place(NOON, 15)}

    assert app.watermarks.get(300) is None
    assert app.watermarks.move(300, None, places)
    assert not app.watermarks.move(300, None, moved)
    # A map is equal to another whatever the order of its names.
    assert app.watermarks.move(300, dict(reversed(places.items())), moved)
    assert not app.watermarks.move(300, places, moved)

    assert app.watermarks.get(300) == moved
    assert app.watermarks.get(60) is None


def make_letter(message_id: str, *payments: str) -> PutAside:
    return PutAside(
        "payments", message_id, "{}", NOON, 3, "poison", "odd", "ana", NOON, tuple(payments)
    )


def test_a_letter_is_put_aside_once_and_again_after_it_was_released(app: App) -> None:
    letter = make_letter("m1", "pay_1", "pay_2")
    other = make_letter("m2")

    assert app.quarantine.put(letter)
    assert not app.quarantine.put(letter)
    app.quarantine.put(other)
    assert app.quarantine.of_queue("payments") == [letter, other]
    assert app.quarantine.of_queue("payments", "pay_2") == [letter]
    assert app.quarantine.count("payments") == 2

    app.quarantine.mark_released(letter, "luis", NOON)
    assert app.quarantine.of_queue("payments") == [other]
    released = app.quarantine.get("payments", "m1")
    assert released is not None
    assert released.released_at == NOON
    assert app.quarantine.put(letter)
    assert app.quarantine.count("payments") == 2


class Invocation:
    """Lambda's context: how long the function may still run."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.fixture
def answers(app: App, monkeypatch: pytest.MonkeyPatch) -> StoredAnswers:
    monkeypatch.setattr(stored_answers, "WAIT_SECONDS", (0.0, 0.0))
    answers = StoredAnswers(app)
    answers.idempotency.register_lambda_context(Invocation())  # type: ignore[arg-type]
    return answers


def test_an_answer_is_given_again_without_the_work(answers: StoredAnswers) -> None:
    done: list[int] = []

    def work() -> dict[str, Any]:
        done.append(1)
        return {"status": 200, "body": "ñ 🙂"}

    first = answers.answer("route/key", "f", work)
    again = answers.answer("route/key", "f", work)

    assert (first, again) == (
        ({"status": 200, "body": "ñ 🙂"}, False),
        ({"status": 200, "body": "ñ 🙂"}, True),
    )
    assert done == [1]


def test_an_answer_is_not_given_to_another_request(answers: StoredAnswers) -> None:
    answers.answer("route/key", "f", lambda: {"n": 1})

    with pytest.raises(IdempotencyKeyReusedError):
        answers.answer("route/key", "g", lambda: {"n": 2})
    assert answers.answer("route/other", "g", lambda: {"n": 2}) == ({"n": 2}, False)


def test_while_the_first_still_runs_nobody_else_begins(answers: StoredAnswers) -> None:
    def work() -> dict[str, Any]:
        with pytest.raises(IdempotencyKeyInUseError):
            answers.answer("route/key", "f", lambda: {"n": 2})
        return {"n": 1}

    assert answers.answer("route/key", "f", work) == ({"n": 1}, False)


def test_work_that_failed_is_done_again(answers: StoredAnswers) -> None:
    def fail() -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answers.answer("route/key", "f", fail)

    assert answers.answer("route/key", "f", lambda: {"n": 1}) == ({"n": 1}, False)


def test_an_answer_that_is_over_is_not_given_although_it_is_still_there(
    app: App, database: Database, answers: StoredAnswers
) -> None:
    answers.answer("route/key", "f", lambda: {"n": 1})
    table = database.table("idempotency")
    (record,) = app.dynamodb.scan(TableName=table)["Items"]
    app.dynamodb.put_item(TableName=table, Item={**record, "expires_at": {"N": "1"}})

    assert answers.answer("route/key", "f", lambda: {"n": 2}) == ({"n": 2}, False)
