"""The simulated PSPs as their callers, their payers and their operator meet them, over HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from riel.domain.clabe import is_clabe
from riel.gateways.base import Declined
from riel.gateways.simulator import SimulatorGateway
from riel.gateways.simulator_answers import read_outcome
from tests.endpoint import Endpoint
from tests.simulator_stage import SECRET, SimulatorStage, running_simulator, until

pytestmark = pytest.mark.engine
BODY = {"payment_id": "pay_1", "amount": 100, "currency": "MXN", "token": "tok_ok"}
KEY = {"Idempotency-Key": "key-of-the-standby"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorStage]:
    folder = tmp_path_factory.mktemp("simulator")
    with running_simulator(folder, latency="0-0", success_rate="0.5", events="delay=0-0") as stage:
        yield stage


def charge(stage: SimulatorStage, token: str | None = "tok_ok", **fields: Any) -> httpx.Response:
    """Ask for a charge or a voucher of a new payment."""
    body = {"payment_id": f"pay_{uuid.uuid4().hex}", "amount": 100, "currency": "MXN"}
    headers = {"Idempotency-Key": fields.pop("key", uuid.uuid4().hex)}
    return stage.http.post("/charges", json={**body, "token": token, **fields}, headers=headers)


def hang_up(stage: SimulatorStage, token: str, **fields: Any) -> None:
    """Ask for a charge that is not answered soon, and do not wait for it."""
    with httpx.Client(base_url=stage.url, timeout=0.5) as hasty:
        hasty_stage = replace(stage, http=hasty)
        with pytest.raises(httpx.ReadTimeout):
            charge(hasty_stage, token, **fields)


def told(endpoint: Endpoint, count: int) -> list[dict[str, Any]]:
    """The events that came, when there are that many."""
    events: list[dict[str, Any]] = until(endpoint.bodies, lambda bodies: len(bodies) >= count)
    return events


def test_the_list_of_charges_keeps_to_its_form(stage: SimulatorStage) -> None:
    answer = charge(stage, key="key-of-the-list").json()

    (line,) = stage.charges(answer["payment_id"])

    expected = {
        "charge_id": answer["charge_id"],
        "payment_id": answer["payment_id"],
        "idempotency_key": "key-of-the-list",
        "amount": 100,
        "currency": "MXN",
        "status": "succeeded",
    }
    assert expected.items() <= line.items()
    assert datetime.fromisoformat(line["created_at"]).tzinfo == UTC


@pytest.mark.parametrize("token", ["tok_declined", "tok_insufficient_funds"])
@pytest.mark.parametrize("method", ["oxxo", "spei"])
def test_a_voucher_that_is_declined_is_not_called_a_card(
    stage: SimulatorStage, method: str, token: str
) -> None:
    answer = charge(stage, token, method=method).json()

    assert (answer["status"], answer["decline_code"]) == ("declined", "voucher_declined")
    told = read_outcome(json.dumps(answer).encode(), answer["idempotency_key"])
    assert isinstance(told, Declined)
    assert (told.message, told.is_soft) == ("No voucher was issued.", False)


def test_what_moved_no_money_is_not_in_the_list(stage: SimulatorStage) -> None:
    declined = charge(stage, "tok_declined").json()
    waiting = charge(stage, method="oxxo").json()
    stage.pay(waiting["payment_id"], amount=99)

    assert stage.charges(declined["payment_id"]) == []
    assert stage.charges(waiting["payment_id"]) == [], "paid short"

    stage.pay(waiting["payment_id"])
    stage.pay(waiting["payment_id"], amount=5)
    (line,) = stage.charges(waiting["payment_id"])
    assert (line["status"], line["amount"], line["received"]) == ("paid", 100, 105)


def test_without_a_token_chance_decides_cards_by_the_payment_and_never_vouchers(
    stage: SimulatorStage,
) -> None:
    payments = [f"pay_{uuid.uuid4().hex}" for _ in range(40)]

    def statuses(**fields: Any) -> list[str]:
        return [
            charge(stage, None, payment_id=payment, **fields).json()["status"]
            for payment in payments
        ]

    first = statuses()
    assert set(first) == {"succeeded", "declined"}
    assert statuses() == first, "another key, the same payment"
    assert set(statuses(method="spei")) == {"awaiting"}


def test_a_slow_charge_comes_in_the_end(stage: SimulatorStage) -> None:
    hang_up(stage, "tok_slow", key="slow")

    answer = until(lambda: stage.http.get("/charges/by-key/slow"), lambda a: a.status_code == 200)

    assert answer.json()["status"] == "succeeded"


def test_a_voucher_has_the_same_number_for_every_repeat(stage: SimulatorStage) -> None:
    for method, name in (("oxxo", "reference"), ("spei", "clabe")):
        body = {"payment_id": f"pay_{uuid.uuid4().hex}", "key": uuid.uuid4().hex}
        first = charge(stage, method=method, **body).json()
        assert charge(stage, method=method, **body).json() == first
        number = first["next_action"][name]
        assert is_clabe(number) if name == "clabe" else len(number) == 14


def test_paying_takes_what_is_left_and_then_the_whole_again(stage: SimulatorStage) -> None:
    payment_id = charge(stage, method="oxxo").json()["payment_id"]

    assert stage.pay(payment_id, amount=30).json()["status"] == "awaiting"
    received = [stage.pay(payment_id).json()["received"] for _ in range(2)]

    assert received == [100, 200]


def test_payers_of_the_rest_side_by_side_pay_it_once_and_then_too_much(
    stage: SimulatorStage,
) -> None:
    payment_id = charge(stage, method="spei").json()["payment_id"]
    stage.pay(payment_id, amount=60)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: stage.pay(payment_id), range(2)))

    assert sorted(answer.json()["received"] for answer in answers) == [100, 200]


def test_a_deposit_counts_once_however_often_it_is_told(stage: SimulatorStage) -> None:
    payment_id = charge(stage, method="spei").json()["payment_id"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: stage.pay(payment_id, amount=7, deposit_id="d"), range(8)))

    assert stage.pay(payment_id, amount=1, deposit_id="e").json()["received"] == 8
    assert stage.pay(payment_id, amount=2, deposit_id="e").status_code == 409
    assert stage.pay(payment_id, deposit_id="e").json()["received"] == 8


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/payments/pay_nobody/pay", {}, 404),
        ("/payments/{card}/pay", {}, 409),
        ("/payments/{declined}/pay", {}, 409),
        ("/payments/{voucher}/pay", {"amount": 0}, 400),
        ("/payments/{voucher}/pay", {"amount": -1}, 400),
        ("/payments/{voucher}/pay", {"amount": "50"}, 400),
        ("/payments/{voucher}/pay", {"amount": 1.5}, 400),
        ("/payments/{voucher}/pay", {"amount": 10**15}, 400),
        ("/payments/{voucher}/pay", {"deposit_id": "x" * 300}, 400),
        ("/payments/{voucher}/pay", [], 400),
        ("/payments/{voucher}/outcome", {"token": "tok_none"}, 400),
        ("/charges", {"payment_id": "pay_1", "amount": 1, "currency": "MXN"}, 400),
        ("/refunds", {}, 400),
        ("/nowhere", {}, 404),
        ("/standby", {}, 404),
    ],
)
def test_what_can_not_be_done_is_said_in_an_error(
    stage: SimulatorStage, path: str, body: Any, status: int
) -> None:
    ids = {
        "card": charge(stage).json()["payment_id"],
        "declined": charge(stage, "tok_declined", method="oxxo").json()["payment_id"],
        "voucher": charge(stage, method="oxxo").json()["payment_id"],
    }
    answer = stage.http.post(path.format(**ids), json=body)

    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 0},
        {"amount": "100"},
        {"amount": None},
        {"method": "crypto"},
        {"payment_id": ""},
        {"currency": 5},
        {"method": "oxxo", "expires_at": "soon"},
        {"method": "oxxo", "expires_at": "2026-04-17T12:00:00"},
    ],
)
def test_a_charge_that_is_not_as_agreed_is_refused(
    stage: SimulatorStage, fields: dict[str, Any]
) -> None:
    assert charge(stage, **fields).status_code == 400


def test_every_change_of_a_charge_and_of_a_refund_is_told_and_signed(
    stage: SimulatorStage, endpoint: Endpoint
) -> None:
    voucher = charge(stage, method="spei", key="key-1", events_url=endpoint.url).json()
    payment_id = voucher["payment_id"]
    told(endpoint, 1)
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"/payments/{payment_id}/pay", {"amount": 40}),
        ("POST", "/charges/by-key/key-1/void", {}),
        ("POST", f"/payments/{payment_id}/pay", {}),
    ]
    for number, (method, path, body) in enumerate(steps):
        assert stage.http.request(method, path, json=body).status_code == 200
        told(endpoint, 2 + number)
    for number, amount in enumerate((60, 60)):
        refund = {
            "refund_id": f"re_{number}",
            "payment_id": payment_id,
            "charge_key": "key-1",
            "amount": amount,
            "currency": "MXN",
        }
        headers = {"Idempotency-Key": f"refund-{number}"}
        stage.http.post("/refunds", json=refund, headers=headers)
        told(endpoint, 5 + number)

    events = endpoint.bodies()
    assert [event["type"] for event in events] == [
        "charge.awaiting",
        "charge.partially_paid",
        "charge.voided",
        "charge.paid",
        "refund.succeeded",
        "refund.declined",
    ]
    assert [event["data"]["received"] for event in events] == [0, 40, 40, 100, 100, 100]
    assert len({event["id"] for event in events}) == len(events)
    adapter = SimulatorGateway(stage.http)
    for headers, raw in endpoint.received:
        event = adapter.parse_event(headers, raw, [SECRET], datetime.now(UTC))
        assert event.payment_id == payment_id
        assert event.event_id == headers["simulator-event-id"]
        assert event.refund_id == json.loads(raw)["data"].get("refund_id", "")


def test_a_repeat_is_told_once_and_what_nobody_asked_for_is_not_told(
    stage: SimulatorStage, endpoint: Endpoint
) -> None:
    same = {"key": uuid.uuid4().hex, "payment_id": f"pay_{uuid.uuid4().hex}"}
    for _ in range(3):
        charge(stage, events_url=endpoint.url, **same)
    charge(stage, "tok_poison", events_url=endpoint.url)
    charge(stage)
    last = charge(stage, "tok_declined", events_url=endpoint.url).json()

    events = told(endpoint, 2)

    assert sorted(event["type"] for event in events) == ["charge.declined", "charge.succeeded"]
    assert {event["data"]["payment_id"] for event in events} == {
        same["payment_id"],
        last["payment_id"],
    }


def test_an_event_that_is_not_taken_comes_again_as_the_same_event(
    stage: SimulatorStage, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 302]
    charge(stage, events_url=endpoint.url)

    events = told(endpoint, 3)

    assert len({event["id"] for event in events}) == 1


def test_an_event_comes_before_an_answer_that_never_does(
    stage: SimulatorStage, endpoint: Endpoint
) -> None:
    hang_up(stage, "tok_timeout_after_charge", events_url=endpoint.url)

    assert told(endpoint, 1)[0]["type"] == "charge.succeeded"


def test_more_than_the_capacity_is_refused_at_once_and_look_ups_pass(tmp_path: Path) -> None:
    with running_simulator(tmp_path, latency="0-0", capacity="1") as stage:
        # The simulator works on for half a minute for a caller that is long gone.
        hang_up(stage, "tok_timeout_before_charge", key="hangs")

        refused = until(lambda: charge(stage), lambda answer: answer.status_code != 200)

        assert refused.status_code == 429
        assert stage.http.get("/charges/by-key/hangs").status_code == 404
        assert stage.http.post("/standby/charges", json=BODY, headers=KEY).status_code == 200
