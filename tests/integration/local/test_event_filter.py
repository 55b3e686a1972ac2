"""Event patterns of stream mappings, against Lambda's documented examples."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.event_filter import passes, patterns_of

EVENT: dict[str, Any] = {
    "eventName": "INSERT",
    "dynamodb": {
        "ApproximateCreationDateTime": 1678831218.0,
        "NewImage": {"kind": {"S": "payment.completed"}, "amount": {"N": "12"}},
    },
    "flag": True,
    "nothing": None,
    "empty": "",
}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "INSERT"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"eventName": ["INSERT"], "flag": [False]}, False),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"nothing": [None]}, True),
        ({"absent": [None]}, False),
        ({"empty": [""]}, True),
        ({"dynamodb": {"NewImage": {"kind": {"S": [{"prefix": "payment."}]}}}}, True),
        ({"dynamodb": {"NewImage": {"kind": {"S": [{"prefix": "refund."}]}}}}, False),
        ({"dynamodb": {"NewImage": {"kind": {"S": [{"suffix": "completed"}]}}}}, True),
        ({"eventName": [{"equals-ignore-case": "insert"}]}, True),
        ({"eventName": [{"anything-but": ["REMOVE"]}]}, True),
        ({"eventName": [{"anything-but": "INSERT"}]}, False),
        ({"eventName": [{"anything-but": {"prefix": "IN"}}]}, False),
        ({"absent": [{"anything-but": ["REMOVE"]}]}, False),
        ({"absent": [{"exists": False}]}, True),
        ({"eventName": [{"exists": False}]}, False),
        ({"dynamodb": {"OldImage": {"kind": [{"exists": False}]}}}, True),
        ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}}, True),
        ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0, "<", 5]}]}}, False),
        ({"dynamodb": {"NewImage": {"amount": {"N": [{"numeric": ["=", 12]}]}}}}, False),
        ({"dynamodb": {"NewImage": {"amount": {"N": ["12"]}}}}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"flag": [True]}]}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"flag": [False]}]}, False),
    ],
)
def test_a_pattern_matches_as_lambda_documents_it(pattern: Any, matches: bool) -> None:
    assert passes(EVENT, [pattern]) is matches


def test_the_filters_of_a_mapping_are_alternatives() -> None:
    criteria = {"Filters": [{"Pattern": '{"a":["1"]}'}, {"Pattern": '{"flag":[true]}'}]}
    assert passes(EVENT, patterns_of(criteria))


def test_without_filters_everything_passes() -> None:
    assert passes(EVENT, patterns_of(None))


def test_an_unknown_operator_is_refused_not_ignored() -> None:
    with pytest.raises(ValueError, match="wildcard"):
        passes(EVENT, [{"eventName": [{"wildcard": "*"}]}])
