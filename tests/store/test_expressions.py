"""Conditions, updates and projections: what they mean, and which make no sense."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from riel.store.items import encode
from tests.store.calls import item, key, put, refusal, stored, transact, update
from tests.store.conftest import Database


def test_updates_read_the_item_as_it_was(database: Database) -> None:
    put(database, item(a=1, b=2))

    answer = update(
        database,
        "SET a = b, b = a, c = if_not_exists(c, :n), l = list_append(if_not_exists(l, :l), :l)",
        values={"n": 7, "l": ["x"]},
        ReturnValues="ALL_NEW",
    )

    assert answer["Attributes"] == item(a=2, b=1, c=7, l=["x", "x"])


def test_an_update_of_nothing_makes_the_item(database: Database) -> None:
    answer = update(database, "SET a = :n", values={"n": 1}, ReturnValues="UPDATED_NEW")

    assert answer["Attributes"] == {"a": encode(1)}
    assert stored(database) == item(a=1)


def test_an_update_tells_what_its_places_held_before(database: Database) -> None:
    put(database, item(a=1, b=2))

    answer = update(database, "SET a = :n", values={"n": 5}, ReturnValues="UPDATED_OLD")

    assert answer["Attributes"] == {"a": encode(1)}


def test_numbers_compare_and_add_as_numbers(database: Database) -> None:
    put(database, item(n=9, huge=10**25 - 1))

    update(
        database,
        "SET n = n - :ten, huge = huge + :ten",
        values={"ten": 10},
        ConditionExpression="n < :ten AND huge > :ten",
    )

    assert stored(database) == item(n=-1, huge=10**25 + 9)


HOLDING = (
    "n = :one", "n <> :two", "absent <> :one", "n < :two", "n <= :one", "n >= :one", "t > :a",
    "m.x = :one", "l[1] = :two", "#dotted = :one", "l = :list", "flag = :true",
    "n IN (:two, :one)", "n BETWEEN :one AND :two", "t BETWEEN :a AND :b",
    "begins_with(t, :a)", "contains(t, :b)", "contains(l, :two)", "size(t) = :two",
    "size(l) = :two", "size(m) < :two", "attribute_type(n, :type)", "attribute_exists(m.x)",
    "attribute_not_exists(m.y)", "attribute_not_exists(l[2])", "NOT n = :two",
    "NOT (n = :two OR t = :a)", "n = :two OR t = :ab AND n = :one",
    "(n = :one OR n = :two) AND t = :ab", "n = :one and not t = :a", "l[1] = size(t)",
)  # fmt: skip
FAILING = (
    "n = :two", "n <> :one", "absent = :one", "n < :one", "n > :one", "t < :a", "absent < :one",
    "n < :a", "n = :a", "m.y = :one", "l[2] = :two", "l[0].x = :one", "n.x = :one",
    "flag = :one", "n IN (:two, :a)", "n BETWEEN :two AND :three", "begins_with(t, :b)",
    "contains(t, :one)", "contains(l, :a)", "size(absent) < :two", "attribute_exists(absent)",
    "attribute_not_exists(n)", "NOT n = :one", "n = :one AND t = :a", "n = :two OR t = :a",
    "(n = :one OR n = :two) AND t = :a", "NOT (n = :one AND t = :ab)",
)  # fmt: skip
VALUES: dict[str, Any] = {
    ":one": 1, ":two": 2, ":three": 3, ":a": "a", ":ab": "ab", ":b": "b", ":list": [1, 2],
    ":true": True, ":type": "N",
}  # fmt: skip


def allows(database: Database, condition: str) -> bool:
    """Whether a transaction that checks the condition, and changes nothing, goes through."""
    check: dict[str, Any] = {"Key": key(), "ConditionExpression": condition}
    if used := re.findall(r":\w+", condition):
        check["ExpressionAttributeValues"] = {name: encode(VALUES[name]) for name in used}
    if "#dotted" in condition:
        check["ExpressionAttributeNames"] = {"#dotted": "a.b"}
    try:
        transact(database, {"ConditionCheck": check})
    except ClientError as error:
        reasons = error.response.get("CancellationReasons")
        assert reasons is not None, (condition, error)
        return False
    return True


def test_conditions_say_what_holds_and_what_does_not(database: Database) -> None:
    put(database, item(n=1, t="ab", l=[1, 2], m={"x": 1}, flag=True) | {"a.b": encode(1)})

    assert [one for one in HOLDING if not allows(database, one)] == []
    assert [one for one in FAILING if allows(database, one)] == []


def test_parts_of_an_item_come_where_they_were(database: Database) -> None:
    put(database, item(l=[1, {"x": 2, "y": 3}, 4], m={"x": {"y": 1, "z": 2}}, n=1))

    answer = database.client.get_item(
        TableName=database.table("payments"),
        Key=key(),
        ProjectionExpression="l[2], l[1].y, m.x.z, l[7], absent",
    )

    assert answer["Item"] == {"l": encode([{"y": 3}, 4]), "m": encode({"x": {"z": 2}})}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("SET status = :n", {"n": 1}),
        ("SET n = :n", {"n": 1, "unused": 2}),
        ("SET n = :missing", {"n": 1}),
        ("SET m = :n, m.x = :n", {"n": 1}),
        ("SET pk = :n", {"n": "other"}),
        ("SET n = absent", {}),
        ("SET absent.x = :n", {"n": 1}),
        ("SET due_sk = :n", {"n": 1}),
        ("SET due_sk = :n", {"n": ""}),
        ("ADD n :n", {"n": "text"}),
        ("n = :n", {"n": 1}),
    ],
)
def test_an_update_that_makes_no_sense_is_refused_and_changes_nothing(
    database: Database, expression: str, values: dict[str, Any]
) -> None:
    there = item(n=1, words=["a"], m={"x": 1}, due_pk="p", due_sk="s")
    put(database, there)

    code, _ = refusal(lambda: update(database, expression, values=values))

    assert code == "ValidationException"
    assert stored(database) == there


@pytest.mark.parametrize(
    "condition",
    ["((n = :n))", "state = :n", "n = :n AND", "begins_with(n, :n)", "attribute_exists(:n)", ""],
)
def test_a_condition_that_makes_no_sense_is_refused(database: Database, condition: str) -> None:
    put(database, item(n=1))

    code, _ = refusal(
        lambda: update(database, "SET k = :n", values={"n": 1}, ConditionExpression=condition)
    )

    assert code == "ValidationException"
    assert stored(database) == item(n=1)


@pytest.mark.parametrize(
    ("expression", "condition", "values", "code"),
    [
        ("REMOVE absent.x", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k = :n, k = :n", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k = :n SET j = :n", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k :n", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k = words + :n", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k = list_append(n, words)", "n = :n", {"n": 1}, "ValidationException"),
        ("SET k = :n", "n = n", {"n": 1}, "ValidationException"),
        ("SET k = :n", "NOT flag < :n", {"n": True}, "ValidationException"),
        ("SET k = n", "absent = missed", {}, "ConditionalCheckFailedException"),
    ],
)
def test_what_the_engine_lets_pass_and_dynamodb_does_not(
    database: Database, expression: str, condition: str, values: dict[str, Any], code: str
) -> None:
    """The random programs leave these out; what the engine learns to refuse goes back to them."""
    put(database, item(n=1, words=["a"]))

    def call() -> Any:
        return update(database, expression, values=values, ConditionExpression=condition)

    if database.kind == "engine":
        call()
    else:
        assert refusal(call)[0] == code
