"""One key, many requests at once: across environments, on the deployed stage."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

import httpx
import pytest

from tests.end_to_end.client import Merchant

ROUNDS = 10


def at_once(count: int, send: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def cancel(merchant: Merchant, payment_id: str, key: str) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return merchant.http.post(f"/api/v1/payments/{payment_id}/cancel", headers=headers)


def test_fc_02_fifty_at_once_with_one_key_make_one_payment_ten_times(merchant: Merchant) -> None:
    for _ in range(ROUNDS):
        key = f"fc-02-{uuid.uuid4()}"
        post = partial(merchant.post, key, payment_method_token="tok_ok")
        answers = at_once(50, lambda _: post())  # noqa: B023 - all of them end in this round

        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.content for answer in answers}) == 1
        firsts = [a for a in answers if "idempotent-replayed" not in a.headers]
        assert len(firsts) == 1
        payment_id = answers[0].json()["payment_id"]
        assert merchant.wait_final(payment_id)["status"] == "completed"
        assert len(merchant.charges(payment_id)) == 1


def test_fc_04_two_bodies_at_once_with_one_key_make_one_of_them(merchant: Merchant) -> None:
    key = f"fc-04-{uuid.uuid4()}"
    answers = at_once(20, lambda n: merchant.post(key, amount=f"{n % 2 + 1}.00"))

    counted = Counter(answer.status_code for answer in answers)
    assert counted == {202: 10, 422: 10}
    (payment_id,) = {a.json()["payment_id"] for a in answers if a.status_code == 202}
    won = {n % 2 for n, answer in enumerate(answers) if answer.status_code == 202}
    assert merchant.get(payment_id)["amount"] == f"{won.pop() + 1}.00"
    assert not won


def test_one_reference_at_once_under_many_keys_makes_one_payment(merchant: Merchant) -> None:
    reference = f"order-{uuid.uuid4()}"
    answers = at_once(
        20, lambda _: merchant.post(reference=reference, payment_method_token="tok_ok")
    )

    (first,) = [answer for answer in answers if answer.status_code == 202]
    others = [answer for answer in answers if answer is not first]
    assert {(a.status_code, a.json()["code"]) for a in others} == {(409, "duplicate_reference")}
    payment_id = first.json()["payment_id"]
    assert all(payment_id in answer.json()["detail"] for answer in others)


def test_fifty_cancellations_at_once_with_one_key_are_one(merchant: Merchant) -> None:
    payment_id = merchant.create()
    answers = at_once(50, lambda _: cancel(merchant, payment_id, "c"))

    kept = {
        answer.content
        for answer in answers
        if answer.json().get("code") != "idempotency_key_in_use"
    }
    assert len(kept) == 1
    assert sum("idempotent-replayed" not in a.headers for a in answers if a.content in kept) == 1


def test_fc_41_a_cancellation_and_the_processor_have_one_winner(merchant: Merchant) -> None:
    def race(n: int) -> tuple[int, str]:
        payment_id = merchant.create()
        if n == 0:
            merchant.wait_final(payment_id)
        return cancel(merchant, payment_id, "c").status_code, payment_id

    with ThreadPoolExecutor(8) as pool:
        raced = list(pool.map(race, range(40)))

    assert raced[0][0] == 409
    for status, payment_id in raced:
        ended = merchant.wait_final(payment_id)["status"]
        charges = len(merchant.charges(payment_id))
        assert (status, ended, charges) in {(202, "canceled", 0), (409, "completed", 1)}


@pytest.mark.parametrize("key", ["plain-1", "a b/c?d#e", '%2F"\\', "%25", "100%", "+", "a,b;c=d"])
def test_a_key_can_be_asked_for_in_any_spelling(merchant: Merchant, key: str) -> None:
    def ask() -> dict[str, str]:
        answer = merchant.http.get(f"/api/v1/idempotency-keys/{quote(key, safe='')}")
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()
        return found

    key = f"{uuid.uuid4()} {key}"
    assert ask() == {"state": "unknown", "payment_id": None}
    created = merchant.post(key)
    assert created.status_code == 202
    assert ask() == {"state": "completed", "payment_id": created.json()["payment_id"]}


def test_fc_09_a_repeated_key_header_is_refused(merchant: Merchant) -> None:
    for values in (("a", "a"), ("a", "b"), ('"a"', '"b"')):
        headers = [("Idempotency-Key", value) for value in values]
        body = {"amount": "1", "currency": "MXN"}
        answer = merchant.http.post("/api/v1/payments", json=body, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
