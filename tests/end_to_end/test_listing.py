"""Lists of payments over HTTP, on the engine's own index."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.client import Merchant, until

PATH = "/api/v1/payments"


def walk(merchant: Merchant, **query: Any) -> list[str]:
    """Walk all pages; return the ids in the order in which they came."""
    seen: list[str] = []
    while True:
        page = merchant.http.get(PATH, params=query).json()
        seen += [payment["id"] for payment in page["data"]]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return seen
        query["cursor"] = page["next_cursor"]


def test_pages_show_every_payment_once_newest_first(merchant: Merchant) -> None:
    made = [merchant.create() for _ in range(5)]
    begin = merchant.wait_final(made[0])["created_at"]

    seen = until(
        lambda: walk(merchant, limit=2, created_from=begin), lambda seen: set(made) <= set(seen)
    )

    assert len(set(seen)) == len(seen)
    assert [payment for payment in seen if payment in made] == made[::-1]
    assert not set(made) & set(walk(merchant, limit=100, created_to=begin))


def test_a_list_shows_a_payment_as_its_own_address_does(merchant: Merchant) -> None:
    payment_id = merchant.create("tok_declined")
    seen = merchant.wait_final(payment_id)

    page = until(
        lambda: merchant.http.get(PATH, params={"status": "failed", "limit": 100}).json(),
        lambda page: seen in page["data"],
    )

    assert {payment["status"] for payment in page["data"]} == {"failed"}


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=5&limit=5", "invalid_parameter", "limit"),
        ("limit=", "invalid_parameter", "limit"),
        ("status=paid", "invalid_parameter", "status"),
        ("created_from=soon", "invalid_parameter", "created_from"),
        ("page=2", "invalid_parameter", "page"),
        ("%00%ff=1", "invalid_parameter", None),
        ("cursor=abc", "invalid_cursor", "cursor"),
        ("cursor=%C3%A9", "invalid_cursor", "cursor"),
        ("cursor=", "invalid_cursor", "cursor"),
    ],
)
def test_fc_25_a_bad_parameter_is_400_and_named(
    merchant: Merchant, query: str, code: str, field: str | None
) -> None:
    answer = merchant.http.get(f"{PATH}?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert field in (None, problem["errors"][0]["field"])


@pytest.mark.parametrize("offset", ["%2B02:00", "+02:00"])
def test_an_offset_may_be_escaped_or_not(merchant: Merchant, offset: str) -> None:
    answer = merchant.http.get(f"{PATH}?created_from=2026-04-17T12:00:00{offset}&limit=1")

    assert answer.status_code == 200
