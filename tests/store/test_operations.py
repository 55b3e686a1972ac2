"""The corners of DynamoDB's operations on which the stores rely."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from riel.store.items import encode
from tests.store.calls import Item, item, key, put, refusal, stored, transact, update
from tests.store.conftest import Database

ABSENT = {"ConditionExpression": "attribute_not_exists(pk)"}
OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def test_a_failed_condition_brings_the_item_that_was_there(database: Database) -> None:
    there = item(n=1, words=["a", {"b": True}])
    put(database, there)

    code, told = refusal(
        lambda: database.client.put_item(
            TableName=database.table("payments"), Item=item(n=2), **ABSENT, **OLD
        )
    )

    assert (code, told["Item"]) == ("ConditionalCheckFailedException", there)
    assert stored(database) == there


def test_a_failed_condition_on_nothing_brings_nothing(database: Database) -> None:
    code, told = refusal(
        lambda: update(database, "SET n = :n", values={"n": 1}, ConditionExpression="n > :n", **OLD)
    )

    assert (code, told.get("Item")) == ("ConditionalCheckFailedException", None)
    assert stored(database) is None


def test_a_transactions_reasons_stand_at_the_places_of_their_actions(database: Database) -> None:
    put(database, item("b", n=1), item("c", n=1))

    code, told = refusal(
        lambda: transact(
            database,
            {"Put": {"Item": item("a")}},
            {"Put": {"Item": item("b"), **ABSENT, **OLD}},
            {"ConditionCheck": {"Key": key("c"), **ABSENT}},
            {"Delete": {"Key": key("d"), "ConditionExpression": "attribute_exists(pk)", **OLD}},
        )
    )

    assert code == "TransactionCanceledException"
    reasons = [(one["Code"], one.get("Item")) for one in told["CancellationReasons"]]
    failed = "ConditionalCheckFailed"
    assert reasons == [
        ("None", None), (failed, item("b", n=1)), (failed, None), (failed, None),
    ]  # fmt: skip
    assert stored(database, "a") is None


def test_an_update_that_does_not_go_with_its_item_cancels_all(database: Database) -> None:
    increment = {
        "Key": key("b"),
        "UpdateExpression": "SET n = n + :one",
        "ExpressionAttributeValues": {":one": encode(1)},
    }

    code, told = refusal(
        lambda: transact(database, {"Put": {"Item": item("a")}}, {"Update": increment})
    )

    assert code == "TransactionCanceledException"
    assert [one["Code"] for one in told["CancellationReasons"]] == ["None", "ValidationError"]
    assert stored(database, "a") is None


def test_two_actions_on_one_item_are_refused(database: Database) -> None:
    code, _ = refusal(
        lambda: transact(
            database,
            {"Put": {"Item": item()}},
            {"ConditionCheck": {"Key": key(), **ABSENT}},
        )
    )

    assert code == "ValidationException"
    assert stored(database) is None


def test_more_than_a_hundred_actions_are_refused(database: Database) -> None:
    actions = [{"Put": {"Item": item(f"{number:03}")}} for number in range(101)]

    assert refusal(lambda: transact(database, *actions))[0] == "ValidationException"

    transact(database, *actions[:100])
    assert stored(database, "099") is not None


def new_token() -> str:
    """A token that no run before has used: the engine remembers each for ten minutes."""
    return uuid.uuid4().hex


def test_a_token_that_comes_again_does_nothing_again(database: Database) -> None:
    increment = {
        "Key": key(),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": encode(1)},
    }
    first = new_token()
    for _ in range(2):
        transact(database, {"Update": increment}, token=first)

    transact(database, {"Update": increment}, token=new_token())

    assert stored(database) == item(n=2)


def test_a_token_of_another_request_is_refused(database: Database) -> None:
    token = new_token()
    transact(database, {"Put": {"Item": item(n=1)}}, token=token)

    code, _ = refusal(lambda: transact(database, {"Put": {"Item": item(n=2)}}, token=token))

    assert code == "IdempotentParameterMismatchException"
    assert stored(database) == item(n=1)


def test_a_transaction_that_was_canceled_may_use_its_token_again(database: Database) -> None:
    put(database, item())
    token, action = new_token(), {"Put": {"Item": item(n=1), **ABSENT}}
    code, _ = refusal(lambda: transact(database, action, token=token))
    assert code == "TransactionCanceledException"
    database.client.delete_item(TableName=database.table("payments"), Key=key())

    transact(database, action, token=token)

    assert stored(database) == item(n=1)


def test_an_unused_sort_key_of_an_index_keeps_an_item_out_of_it(database: Database) -> None:
    put(database, item("a", due_pk="d"), item("b", due_pk="d", due_sk="1", n=1))

    found = database.client.query(
        TableName=database.table("payments"),
        IndexName="due",
        KeyConditionExpression="due_pk = :pk",
        ExpressionAttributeValues={":pk": encode("d")},
    )

    assert found["Items"] == [item("b", due_pk="d", due_sk="1")], "keys alone"


@pytest.mark.parametrize("is_forward", [True, False])
@pytest.mark.parametrize("index", ["", "due"])
def test_pages_hold_every_item_once_and_in_order(
    database: Database, index: str, is_forward: bool
) -> None:
    # In the index three items share each sort key, and a page may end between them.
    put(database, *(item(f"{n}", due_pk="p", due_sk=f"{n // 3}") for n in range(7)))
    request: dict[str, Any] = {
        "TableName": database.table("payments"),
        "KeyConditionExpression": f"{'due_pk' if index else 'pk'} = :pk",
        "ExpressionAttributeValues": {":pk": encode("p")},
        "ScanIndexForward": is_forward,
        "Limit": 2,
        **({"IndexName": index} if index else {}),
    }
    pages: list[list[str]] = []
    while True:
        page = database.client.query(**request)
        pages.append([one["sk"]["S"] for one in page["Items"]])
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    assert [len(page) for page in pages] == [2, 2, 2, 1]
    found = [one for page in pages for one in page]
    assert found == sorted(set(found), reverse=not is_forward)
    assert len(found) == 7


def test_a_page_that_ends_at_the_limit_says_that_more_may_come(database: Database) -> None:
    put(database, item("a"), item("b"))
    request: dict[str, Any] = {
        "TableName": database.table("payments"),
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": encode("p")},
    }

    page = database.client.query(**request, Limit=2)
    rest = database.client.query(**request, ExclusiveStartKey=page["LastEvaluatedKey"])

    assert page["LastEvaluatedKey"] == key("b")
    assert (rest["Items"], "LastEvaluatedKey" in rest) == ([], False)


def test_a_page_ends_before_a_megabyte(database: Database) -> None:
    put(database, *(item(str(number), text="x" * 300_000) for number in range(4)))
    request: dict[str, Any] = {
        "TableName": database.table("payments"),
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": encode("p")},
    }

    page = database.client.query(**request)
    counted = database.client.query(**request, Select="COUNT")

    assert (page["Count"], page["LastEvaluatedKey"]) == (3, key("2"))
    assert (counted["Count"], "Items" in counted) == (3, False)


def test_a_filter_is_applied_after_the_limit(database: Database) -> None:
    put(database, *(item(str(number), n=number) for number in range(4)))

    page = database.client.query(
        TableName=database.table("payments"),
        KeyConditionExpression="pk = :pk",
        FilterExpression="n >= :n",
        ExpressionAttributeValues={":pk": encode("p"), ":n": encode(2)},
        Limit=3,
    )

    assert (page["Count"], page["ScannedCount"]) == (1, 3)
    assert page["LastEvaluatedKey"] == key("2")


def test_a_scan_reads_every_item_once(database: Database) -> None:
    keys = {f"p{number}" for number in range(9)}
    put(database, *({"pk": encode(pk), "sk": encode("a")} for pk in keys))
    request: dict[str, Any] = {"TableName": database.table("payments"), "Limit": 2}
    found: list[str] = []
    while True:
        page = database.client.scan(**request)
        found += [one["pk"]["S"] for one in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    assert sorted(found) == sorted(keys)


def test_a_batch_reads_what_is_there_and_only_the_parts_that_are_asked_for(
    database: Database,
) -> None:
    put(database, item("a", n=1, m={"x": 1, "y": 2}), item("b", n=2))
    table = database.table("payments")

    answer = database.client.batch_get_item(
        RequestItems={
            table: {
                "Keys": [key("a"), key("b"), key("c")],
                "ProjectionExpression": "#sk, m.x",
                "ExpressionAttributeNames": {"#sk": "sk"},
            }
        }
    )

    found = sorted(answer["Responses"][table], key=lambda one: str(one["sk"]))
    assert found == [{"sk": encode("a"), "m": encode({"x": 1})}, {"sk": encode("b")}]
    assert answer.get("UnprocessedKeys", {}) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pk": encode("p")},
        {"pk": encode("p"), "sk": encode("")},
        {"pk": encode("p"), "sk": encode(1)},
        {"pk": encode("p"), "sk": encode("a" * 1025)},
        {"pk": encode("p" * 2049), "sk": encode("a")},
    ],
)
def test_an_item_without_a_whole_key_is_refused(database: Database, wrong: Item) -> None:
    table = database.table("payments")

    for call in (
        lambda: database.client.put_item(TableName=table, Item=wrong),
        lambda: database.client.get_item(TableName=table, Key=wrong),
    ):
        assert refusal(call)[0] == "ValidationException"


def test_an_item_is_never_larger_than_400_kb(database: Database) -> None:
    names = len("pk") + len("p") + len("sk") + len("a") + len("text")
    hugest = item(text="x" * (400 * 1024 - names))
    put(database, hugest)

    code, _ = refusal(lambda: put(database, item(text="x" * (400 * 1024 - names + 1))))
    more, _ = refusal(lambda: update(database, "SET n = :n", values={"n": 1}))

    assert code == more == "ValidationException"
    assert stored(database) == hugest


def test_a_table_that_does_not_exist_is_told_of(database: Database) -> None:
    code, _ = refusal(
        lambda: database.client.get_item(TableName=database.table("nothing"), Key=key())
    )

    assert code == "ResourceNotFoundException"


def test_a_range_that_is_upside_down_is_refused(database: Database) -> None:
    code, _ = refusal(
        lambda: database.client.query(
            TableName=database.table("payments"),
            KeyConditionExpression="pk = :pk AND sk BETWEEN :b AND :a",
            ExpressionAttributeValues={":pk": encode("p"), ":a": encode("a"), ":b": encode("b")},
        )
    )

    assert code == "ValidationException"
