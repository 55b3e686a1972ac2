"""What only the model can show: what AWS leaves open, what time does, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.simulation.dynamodb import Change, DynamoDb, IndexSpec, TableSpec
from infra.simulation.transport import ServiceError
from riel.store.items import encode

DAY = 86_400
START = 1_800_000_000.0
SPEC = TableSpec(
    "things",
    ("pk", "sk"),
    {
        "keys": IndexSpec(("due_pk", "due_sk")),
        "some": IndexSpec(("due_pk", "due_sk"), frozenset({"n"})),
        "all": IndexSpec(("due_pk", "due_sk"), "ALL"),
    },
    ttl="expires_at",
    stream=True,
)


class Time:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def database(time: Time, draw: Callable[..., float] | None = None) -> DynamoDb:
    made = DynamoDb(time, draw)
    made.create(SPEC)
    return made


def always(*_: object) -> float:
    return 0.0


def never(*_: object) -> float:
    return 0.999


def item(sk: str = "a", **fields: Any) -> dict[str, Any]:
    return {name: encode(value) for name, value in {"pk": "p", "sk": sk, **fields}.items()}


def put(dynamodb: DynamoDb, *items: dict[str, Any]) -> None:
    for one in items:
        dynamodb.call("PutItem", {"TableName": "things", "Item": one})


def get(dynamodb: DynamoDb, sk: str = "a", **more: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = dynamodb.call(
        "GetItem", {"TableName": "things", "Key": item(sk), **more}
    ).get("Item")
    return found


def update(dynamodb: DynamoDb, expression: str, **values: Any) -> None:
    request: dict[str, Any] = {
        "TableName": "things",
        "Key": item(),
        "UpdateExpression": expression,
    }
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": one for name, one in values.items()}
    dynamodb.call("UpdateItem", request)


def due(dynamodb: DynamoDb, index: str = "all", partition: str = "d") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dynamodb.call(
        "Query",
        {
            "TableName": "things",
            "IndexName": index,
            "KeyConditionExpression": "due_pk = :pk",
            "ExpressionAttributeValues": {":pk": encode(partition)},
        },
    )["Items"]
    return found


def test_a_cheap_read_may_miss_the_last_second_and_a_consistent_one_never_does(
    time: Time,
) -> None:
    dynamodb = database(time, always)
    put(dynamodb, item(n=1))
    time.now += 5
    put(dynamodb, item(n=2))
    time.now += 0.9

    assert get(dynamodb) == item(n=1)
    assert get(dynamodb, ConsistentRead=True) == item(n=2)
    time.now += 0.1
    assert get(dynamodb) == item(n=2)


def test_a_cheap_read_may_miss_an_item_that_is_new(time: Time) -> None:
    assert get_after_put(time, always) is None
    assert get_after_put(time, never) == item(n=1)


def get_after_put(time: Time, draw: Callable[..., float]) -> dict[str, Any] | None:
    dynamodb = database(time, draw)
    put(dynamodb, item(n=1))
    return get(dynamodb)


def test_a_read_may_go_back_in_time_because_each_asks_chance_anew(time: Time) -> None:
    asked: list[tuple[object, ...]] = []

    def every_other(*names: object) -> float:
        asked.append(names)
        return 0.0 if len(asked) % 2 else 0.999

    dynamodb = database(time, every_other)
    put(dynamodb, item(n=1))

    assert [get(dynamodb) for _ in range(4)] == [None, item(n=1), None, item(n=1)]
    assert len(set(asked)) == len(asked), "no two draws have one name"


def test_a_cheap_read_may_miss_the_last_write_alone(time: Time) -> None:
    dynamodb = database(time, lambda *names: 0.0 if names[-1] == 1 else 0.999)
    put(dynamodb, item(n=1))
    time.now += 5
    put(dynamodb, item(n=2))
    put(dynamodb, item(n=3))

    assert get(dynamodb) == item(n=2)


def test_an_index_may_still_show_an_item_where_it_was(time: Time) -> None:
    dynamodb = database(time, always)
    put(dynamodb, item("a", due_pk="d", due_sk="1"), item("b", due_pk="d", due_sk="2"))
    time.now += 5
    put(dynamodb, item("a", due_pk="e", due_sk="9"))
    dynamodb.call("DeleteItem", {"TableName": "things", "Key": item("b")})

    assert [one["sk"] for one in due(dynamodb)] == [encode("a"), encode("b")]
    assert due(dynamodb, partition="e") == []
    time.now += 1
    assert due(dynamodb) == []
    assert due(dynamodb, partition="e") == [item("a", due_pk="e", due_sk="9")]


def test_conditions_are_judged_by_what_is_there_now(time: Time) -> None:
    dynamodb = database(time, always)
    put(dynamodb, item(n=1))

    with pytest.raises(ServiceError) as refused:
        dynamodb.call(
            "PutItem",
            {
                "TableName": "things",
                "Item": item(n=2),
                "ConditionExpression": "attribute_not_exists(pk)",
            },
        )

    assert refused.value.code == "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        ("keys", item(due_pk="d", due_sk="1")),
        ("some", item(due_pk="d", due_sk="1", n=1)),
        ("all", item(due_pk="d", due_sk="1", n=1, t="x")),
    ],
)
def test_an_index_has_what_it_projects(time: Time, index: str, wanted: dict[str, Any]) -> None:
    dynamodb = database(time)
    put(dynamodb, item(due_pk="d", due_sk="1", n=1, t="x"))

    assert due(dynamodb, index) == [wanted]


def test_a_batch_may_leave_keys_for_later_but_reads_one(time: Time) -> None:
    dynamodb = database(time, always)
    put(dynamodb, *(item(str(number)) for number in range(5)))
    time.now += 5
    wanted = [item(str(number)) for number in range(5)]
    found = []
    while wanted:
        answer = dynamodb.call("BatchGetItem", {"RequestItems": {"things": {"Keys": wanted}}})
        assert len(answer["Responses"]["things"]) == 1
        found += answer["Responses"]["things"]
        wanted = answer["UnprocessedKeys"].get("things", {}).get("Keys", [])

    assert sorted(str(one["sk"]) for one in found) == sorted(
        str(item(str(number))["sk"]) for number in range(5)
    )


def test_what_has_expired_stays_until_it_is_deleted(time: Time) -> None:
    dynamodb = database(time)
    over = item("over", expires_at=int(START) - 1)
    put(
        dynamodb,
        over,
        item("later", expires_at=int(START) + 1),
        item("never"),
        item("mistake", expires_at=int(START) - 6 * 365 * DAY),
    )

    assert get(dynamodb, "over") == over
    assert dynamodb.expire(is_chosen=lambda _: False) == 0
    assert dynamodb.expire("things") == 1
    assert {one["sk"]["S"] for one in dynamodb.items("things")} == {"later", "never", "mistake"}
    time.now += 2
    assert dynamodb.expire() == 1


def test_every_change_of_an_item_is_told_once_and_in_order(time: Time) -> None:
    dynamodb = database(time)
    told: list[Change] = []
    dynamodb.on_change = told.append
    first, second = item(n=1, expires_at=1_799_999_999), item(n=2, expires_at=1_799_999_999)

    put(dynamodb, first)
    put(dynamodb, first)  # nothing changes, and nothing is told
    put(dynamodb, second)
    dynamodb.expire()
    dynamodb.call("DeleteItem", {"TableName": "things", "Key": item()})

    assert [(one.event, one.old, one.new, one.by_ttl) for one in told] == [
        ("INSERT", None, first, False),
        ("MODIFY", first, second, False),
        ("REMOVE", second, None, True),
    ]
    assert {str(one.keys) for one in told} == {str(item())}
    assert [one.sequence_number for one in told] == sorted({one.sequence_number for one in told})


def test_a_transaction_that_is_canceled_tells_of_nothing(time: Time) -> None:
    dynamodb = database(time)
    told: list[Change] = []
    dynamodb.on_change = told.append
    check = {"TableName": "things", "Key": item("b"), "ConditionExpression": "attribute_exists(n)"}

    with pytest.raises(ServiceError):
        dynamodb.call(
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "things", "Item": item()}},
                    {"ConditionCheck": check},
                ]
            },
        )

    assert told == []
    assert dynamodb.items("things") == []


def test_a_token_is_good_for_ten_minutes(time: Time) -> None:
    dynamodb = database(time)
    add = {
        "TableName": "things",
        "Key": item(),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": encode(1)},
    }
    request = {"TransactItems": [{"Update": add}], "ClientRequestToken": "t"}

    for seconds in (0, 599, 1):
        time.now += seconds
        dynamodb.call("TransactWriteItems", request)

    assert get(dynamodb) == item(n=2)


def test_numbers_have_one_form_and_38_digits(time: Time) -> None:
    dynamodb = database(time)

    update(dynamodb, "SET a = :a, b = :b, c = :c", **numbers("1.50", "1e3", "-0.0"))
    update(dynamodb, "SET d = a + :a, e = b - :b", **numbers("0.25", f"{10**37}"))

    found = get(dynamodb)
    assert found is not None
    assert {name: found[name]["N"] for name in "abcde"} == {
        "a": "1.5", "b": "1000", "c": "0", "d": "1.75", "e": str(1000 - 10**37),
    }  # fmt: skip
    for wrong in ("9" * 39, "1e126", "1e-131", "NaN", "0x1", "1_0", " 1", ""):
        with pytest.raises(ServiceError, match="ValidationException"):
            update(dynamodb, "SET a = :a", **numbers(wrong))
    with pytest.raises(ServiceError, match="ValidationException"):
        update(dynamodb, "SET d = d + :a", **numbers("9" * 38))


def numbers(*texts: str) -> dict[str, Any]:
    return {name: {"N": text} for name, text in zip("abc", texts, strict=False)}


def test_sets_are_added_to_and_taken_from(time: Time) -> None:
    dynamodb = database(time)

    update(dynamodb, "ADD words :w, figures :n", w={"SS": ["b", "a"]}, n={"NS": ["1.0", "2"]})
    update(dynamodb, "ADD words :w DELETE figures :n", w={"SS": ["c", "a"]}, n={"NS": ["1"]})
    assert get(dynamodb) == {**item(), "words": {"SS": ["a", "b", "c"]}, "figures": {"NS": ["2"]}}

    update(dynamodb, "DELETE figures :n", n={"NS": ["2", "3"]})
    assert get(dynamodb) == {**item(), "words": {"SS": ["a", "b", "c"]}}
    empty: list[str] = []
    for wrong in ({"SS": empty}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}):
        with pytest.raises(ServiceError, match="ValidationException"):
            update(dynamodb, "SET words = :w", w=wrong)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {"TableName": "things", "Item": item(), "Expected": {}}),
        ("Query", {"TableName": "things", "KeyConditions": {}}),
        ("Scan", {"TableName": "things", "Segment": 0, "TotalSegments": 2}),
        ("Scan", {"TableName": "things", "Select": "ALL_PROJECTED_ATTRIBUTES"}),
        ("ExecuteStatement", {"Statement": "DELETE FROM things"}),
        ("TransactWriteItems", {"TransactItems": [{"Get": {"TableName": "things"}}]}),
    ],
)
def test_what_the_model_has_not_got_it_says_so(
    time: Time, operation: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(NotImplementedError):
        database(time).call(operation, request_)
