"""Items: what is read of them, and how a part of one is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from riel.store.items import from_fields, update_of


@dataclass(frozen=True, slots=True)
class Known:
    name: str
    count: int = 0


@pytest.mark.parametrize("later", [{}, {"later": 1, "and": {"so": "on"}}])
def test_what_a_later_version_added_is_left_out(later: dict[str, Any]) -> None:
    assert from_fields(Known, {"name": "n", **later}) == Known("n")


@pytest.mark.parametrize("fields", [{}, {"count": 1}, ["name"], "name", None])
def test_what_lacks_a_field_or_is_none_at_all_is_refused(fields: Any) -> None:
    with pytest.raises(TypeError):
        from_fields(Known, fields)


def test_an_update_writes_its_fields_and_takes_away_those_that_say_nothing() -> None:
    assert update_of({"state": "pending", "turn": 0, "failure": "", "next_at": None}) == {
        "UpdateExpression": "SET #state = :state, #turn = :turn REMOVE #failure, #next_at",
        "ExpressionAttributeNames": {
            "#state": "state",
            "#turn": "turn",
            "#failure": "failure",
            "#next_at": "next_at",
        },
        "ExpressionAttributeValues": {":state": {"S": "pending"}, ":turn": {"N": "0"}},
    }
    assert "REMOVE" not in update_of({"turn": 1})["UpdateExpression"]
