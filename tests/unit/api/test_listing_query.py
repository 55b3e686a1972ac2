"""Query parameters of the list: what is read, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.listing_query import read_query
from riel.domain.payment import Status
from riel.errors import MalformedRequestError
from riel.services.list_payments import ListingQuery

NOON = datetime(2026, 4, 17, 12, tzinfo=UTC)


def refused(**parameters: str) -> MalformedRequestError:
    with pytest.raises(MalformedRequestError) as caught:
        read_query(parameters)
    return caught.value


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_parameters_the_first_twenty_are_asked_for(nothing: dict[str, str] | None) -> None:
    assert read_query(nothing) == ListingQuery(limit=20)


def test_every_parameter_is_read() -> None:
    query = read_query(
        {
            "limit": "100",
            "cursor": "abc",
            "status": "in_review",
            "created_from": "2026-04-17",
            "created_to": "2026-04-17T12:00:00Z",
        }
    )

    midnight = datetime(2026, 4, 17, tzinfo=UTC)
    assert query == ListingQuery(100, "abc", Status.IN_REVIEW, midnight, NOON)


@pytest.mark.parametrize(
    "limit",
    ["0", "101", "-1", "abc", "", " 5", "+5", "5.0", "1e1", "020", "\u0665", "5,5", "9" * 999],
)
def test_fc_25_a_limit_that_is_no_number_from_1_to_100_is_refused(limit: str) -> None:
    error = refused(limit=limit)

    assert (error.status, error.code) == (400, "invalid_parameter")
    assert [problem.field for problem in error.problems] == ["limit"]


@pytest.mark.parametrize("status", ["", "paid", "COMPLETED", "completed,failed"])
def test_an_unknown_status_is_refused_and_the_known_ones_are_named(status: str) -> None:
    error = refused(status=status)

    assert "pending, processing" in error.problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-17T12:00:00Z",
        "2026-04-17t12:00:00z",
        "2026-04-17T12:00:00.000000000Z",
        "2026-04-17T12:00:00-00:00",
        "2026-04-17T14:00:00+02:00",
        "2026-04-17T06:00:00-06:00",
        "2026-04-17T14:00:00 02:00",
    ],
)
def test_an_instant_is_read_in_every_form_of_rfc_3339(text: str) -> None:
    assert read_query({"created_from": text}).created_from == NOON


@pytest.mark.parametrize(
    ("fraction", "milliseconds"),
    [("5", 500), ("05", 50), ("001", 1), ("0010000", 1), ("0010001", 2), ("9999", 1000)],
)
def test_what_is_finer_than_a_millisecond_is_rounded_up(fraction: str, milliseconds: int) -> None:
    query = read_query({"created_to": f"2026-04-17T12:00:00.{fraction}Z"})

    assert query.created_to == NOON + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-04",
        "2026-02-30",
        "20260417",
        "0000-01-01",
        "2026-04-17 12:00:00Z",
        "2026-04-17T12:00Z",
        "2026-04-17T12:00:00",
        "2026-04-17T24:00:00Z",
        "2026-04-17T12:00:60Z",
        "2026-04-17T12:00:00.Z",
        "2026-04-17T12:00:00+0200",
        "2026-04-17T12:00:00+24:00",
        "2026-04-17,2026-04-17",
        "\uff12026-04-17",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59.9999Z",
        "1776427200",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    error = refused(created_from=text)

    assert error.code == "invalid_parameter"
    assert error.problems[0].field == "created_from"


def test_all_bad_parameters_are_told_at_once() -> None:
    error = refused(limit="0", status="paid", created_to="soon", page="2")

    assert {problem.field for problem in error.problems} == {
        "limit",
        "status",
        "created_to",
        "page",
    }
    assert "limit, cursor, status" in str(error)


@given(st.dictionaries(st.text(max_size=80), st.text(max_size=40), max_size=4))
def test_any_parameters_are_read_or_refused_and_the_answer_is_ascii(
    parameters: dict[str, str],
) -> None:
    try:
        read_query(parameters)
    except MalformedRequestError as error:
        assert len(error.problems) >= 1
        assert all(problem.field.isascii() and problem.message for problem in error.problems)
    else:
        assert set(parameters) <= {"limit", "cursor", "status", "created_from", "created_to"}
