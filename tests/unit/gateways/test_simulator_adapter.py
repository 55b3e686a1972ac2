"""The simulator's adapter: what each answer means. Translation only, so a fake transport."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from riel.domain.money import Money
from riel.domain.payment import Method, NextAction
from riel.errors import (
    GatewayUnavailableError,
    OutcomeUnknownError,
    RielError,
    UnmappedAnswerError,
)
from riel.gateways.base import (
    Awaiting,
    Charged,
    ChargeRequest,
    Declined,
    Gateway,
    NotFound,
    Outcome,
    RefundDeclined,
    Refunded,
    RefundRequest,
    Voided,
)
from riel.gateways.registry import CAPABILITIES
from riel.gateways.simulator import SimulatorGateway
from tests.builders import NOON, FakeGateway

PESOS = Money(10_050, "MXN")
REQUEST = ChargeRequest("chg_1", "pay_1", PESOS, token="tok_ok")
REFUND = RefundRequest("rfd_1", "re_1", "pay_1", "chg_1", "sim_1", PESOS)
SUCCESS: dict[str, Any] = {
    "idempotency_key": "chg_1",
    "payment_id": "pay_1",
    "status": "succeeded",
    "charge_id": "sim_1",
    "amount": 10_050,
    "received": 10_050,
    "currency": "MXN",
}
DECLINE = {**SUCCESS, "status": "declined", "decline_code": "insufficient_funds"}
OXXO = {
    "type": "oxxo_voucher",
    "reference": "93000000000001",
    "expires_at": "2026-04-17T12:00:00.000Z",
}
SPEI = {
    "type": "spei_transfer",
    "clabe": "646180157000000004",
    "expires_at": "2026-04-17T12:00:00.000Z",
}
WAITING: dict[str, Any] = {**SUCCESS, "status": "awaiting", "received": 50, "next_action": OXXO}
REFUNDED = {
    "idempotency_key": "rfd_1",
    "reference": "sim_re_1",
    "refund_id": "re_1",
    "status": "succeeded",
    "amount": 10_050,
    "currency": "MXN",
}
REFUND_DECLINED = {**REFUNDED, "status": "declined", "decline_code": "exceeds_charge"}


def gateway(answer: httpx.Response | Exception) -> SimulatorGateway:
    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimulatorGateway(
        httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    )


def ok(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (
            {**SUCCESS, "payment_id": "pay_2", "amount": 1, "received": 1, "currency": "JPY"},
            Charged("pay_2", Money(1, "JPY"), "sim_1", Money(1, "JPY")),
        ),
        (
            {**SUCCESS, "status": "paid", "received": 20_000},
            Charged("pay_1", PESOS, "sim_1", Money(20_000, "MXN")),
        ),
        (
            DECLINE,
            Declined("pay_1", PESOS, "insufficient_funds", "The card has insufficient funds."),
        ),
        (
            {**DECLINE, "decline_code": "issuer_unavailable"},
            Declined(
                "pay_1", PESOS, "issuer_unavailable", "The issuer could not be reached.", True
            ),
        ),
        (
            WAITING,
            Awaiting(
                "pay_1",
                PESOS,
                "sim_1",
                NextAction("oxxo_voucher", NOON, reference="93000000000001"),
                Money(50, "MXN"),
            ),
        ),
        (
            {**WAITING, "next_action": SPEI},
            Awaiting(
                "pay_1",
                PESOS,
                "sim_1",
                NextAction("spei_transfer", NOON, clabe="646180157000000004"),
                Money(50, "MXN"),
            ),
        ),
        (
            {**SUCCESS, "status": "voided", "received": 0},
            Voided("pay_1", PESOS, "sim_1", Money(0, "MXN")),
        ),
    ],
)
def test_an_answer_is_passed_on_in_the_psps_own_words(body: Any, outcome: Outcome) -> None:
    psp = gateway(ok({**body, "a_new_field": 1}))

    assert psp.charge(REQUEST) == psp.look_up("chg_1") == psp.void("chg_1") == outcome


WITHOUT_A_MEANING = [
    httpx.Response(200, text="<html>"),
    httpx.Response(200, content=b"[" * 100_000),
    ok([]),
    ok({"verdict": "perhaps"}),
    ok({**SUCCESS, "status": "perhaps"}),
    ok({**SUCCESS, "status": ["paid"]}),
    ok({**SUCCESS, "idempotency_key": "other"}),
    ok({**SUCCESS, "charge_id": None}),
    ok({**SUCCESS, "payment_id": ""}),
    ok({**SUCCESS, "amount": "10050"}),
    ok({**SUCCESS, "amount": 100.5}),
    ok({**SUCCESS, "amount": True}),
    ok({**SUCCESS, "amount": -1}),
    ok({**SUCCESS, "received": None}),
    ok({**SUCCESS, "currency": "XXX"}),
    ok({**SUCCESS, "currency": []}),
    ok({**DECLINE, "decline_code": "new_code"}),
    ok({**DECLINE, "decline_code": ""}),
    ok({**WAITING, "next_action": None}),
    ok({**WAITING, "next_action": {**OXXO, "type": "pray"}}),
    ok({**WAITING, "next_action": {**OXXO, "reference": "9300000000000x"}}),
    ok({**WAITING, "next_action": {**OXXO, "expires_at": "2026-04-17T12:00:00"}}),
    ok({**WAITING, "next_action": {**OXXO, "expires_at": "soon"}}),
    ok({**WAITING, "next_action": {**OXXO, "expires_at": "9999-12-31T23:59:59Z"}}),
    ok({**WAITING, "next_action": {**SPEI, "expires_at": "0001-01-01T00:00:00+14:00"}}),
    ok({**WAITING, "next_action": {**SPEI, "clabe": "646180157000000005"}}),
    httpx.Response(400),
    httpx.Response(302),
]


@pytest.mark.parametrize("answer", WITHOUT_A_MEANING)
def test_fc_44_an_answer_without_a_meaning_is_never_an_outcome(answer: httpx.Response) -> None:
    psp = gateway(answer)
    with pytest.raises(UnmappedAnswerError):
        psp.charge(REQUEST)
    with pytest.raises(UnmappedAnswerError):
        psp.look_up("chg_1")
    with pytest.raises(UnmappedAnswerError):
        psp.void("chg_1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), GatewayUnavailableError),
        (httpx.Response(429), GatewayUnavailableError),
        (httpx.ConnectError("refused"), GatewayUnavailableError),
        (httpx.ConnectTimeout("slow"), GatewayUnavailableError),
        (httpx.PoolTimeout("full"), GatewayUnavailableError),
        (httpx.ReadTimeout("slow"), OutcomeUnknownError),
        (httpx.WriteError("cut"), OutcomeUnknownError),
        (httpx.RemoteProtocolError("closed"), OutcomeUnknownError),
        (httpx.Response(500), OutcomeUnknownError),
        (httpx.Response(502), OutcomeUnknownError),
        (httpx.Response(504), OutcomeUnknownError),
        (httpx.Response(404), UnmappedAnswerError),
        (httpx.Response(409), UnmappedAnswerError),
    ],
)
def test_fc_33_what_moves_money_says_whether_it_may_have(
    answer: httpx.Response | Exception, error: type[RielError]
) -> None:
    with pytest.raises(error):
        gateway(answer).charge(REQUEST)
    with pytest.raises(error):
        gateway(answer).refund(REFUND)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(502),
    ],
)
def test_fc_33_what_may_be_repeated_is_unavailable_without_an_answer(
    answer: httpx.Response | Exception,
) -> None:
    psp = gateway(answer)
    for ask in (psp.look_up, psp.void, psp.look_up_refund):
        with pytest.raises(GatewayUnavailableError):
            ask("chg_1")


def test_what_is_unknown_there_is_not_found() -> None:
    psp = gateway(httpx.Response(404))

    assert psp.look_up("chg_1") == psp.void("chg_1") == psp.look_up_refund("rfd_1") == NotFound()


def test_a_refund_is_made_or_declined() -> None:
    psp = gateway(ok(REFUNDED))
    assert psp.refund(REFUND) == psp.look_up_refund("rfd_1") == Refunded("re_1", PESOS, "sim_re_1")

    declined = RefundDeclined(
        "re_1", PESOS, "exceeds_charge", "The refund exceeds what was charged."
    )
    assert gateway(httpx.Response(422, json=REFUND_DECLINED)).refund(REFUND) == declined
    assert gateway(ok(REFUND_DECLINED)).look_up_refund("rfd_1") == declined


@pytest.mark.parametrize(
    "answer",
    [
        ok({**REFUNDED, "status": "pending"}),
        ok({**REFUNDED, "idempotency_key": "rfd_2"}),
        ok({**REFUNDED, "refund_id": 1}),
        ok({**REFUNDED, "amount": 1.0}),
        ok({**REFUND_DECLINED, "decline_code": "why"}),
        httpx.Response(422, json={"error": "unprocessable"}),
    ],
)
def test_a_refund_without_a_meaning_is_never_an_outcome(answer: httpx.Response) -> None:
    with pytest.raises(UnmappedAnswerError):
        gateway(answer).refund(REFUND)


@pytest.mark.parametrize(("name", "path"), [("simulator", ""), ("standby", "/standby")])
def test_what_is_sent_is_what_the_psp_reads(name: str, path: str) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return ok(REFUNDED if "refunds" in request.url.path else SUCCESS)

    client = httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    psp = SimulatorGateway(client, name)
    voucher = replace(REQUEST, method=Method.OXXO, expires_at=NOON, events_url="http://127.0.0.1:1")
    psp.charge(voucher)
    psp.refund(REFUND)
    psp.look_up("chg_1")
    psp.void("chg_1")

    assert [(request.method, request.url.path) for request in seen] == [
        ("POST", f"{path}/charges"),
        ("POST", f"{path}/refunds"),
        ("GET", f"{path}/charges/by-key/chg_1"),
        ("POST", f"{path}/charges/by-key/chg_1/void"),
    ]
    assert [request.headers.get("idempotency-key") for request in seen] == [
        "chg_1",
        "rfd_1",
        None,
        None,
    ]
    assert json.loads(seen[0].content) == {
        "payment_id": "pay_1",
        "amount": 10_050,
        "currency": "MXN",
        "method": "oxxo",
        "token": "tok_ok",
        "expires_at": "2026-04-17T12:00:00.000Z",
        "events_url": "http://127.0.0.1:1",
    }
    assert json.loads(seen[1].content) == {
        "refund_id": "re_1",
        "payment_id": "pay_1",
        "charge_key": "chg_1",
        "amount": 10_050,
        "currency": "MXN",
        "events_url": "",
    }


def test_a_key_is_one_part_of_the_path() -> None:
    seen: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(404)

    client = httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    SimulatorGateway(client).look_up("a/../b?c")

    assert seen == [b"/charges/by-key/a%2F..%2Fb%3Fc"]


def test_the_adapters_and_the_fake_are_gateways() -> None:
    gateways: list[Gateway] = [gateway(ok({})), FakeGateway("standby")]

    assert [g.capabilities for g in gateways] == [CAPABILITIES[g.name] for g in gateways]
