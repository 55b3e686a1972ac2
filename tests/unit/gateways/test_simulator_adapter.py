"""The simulator's adapter: what each answer means. Translation only, so a fake transport."""

from __future__ import annotations

import httpx
import pytest

from riel.domain.money import Money
from riel.errors import (
    GatewayUnavailableError,
    MethodUnavailableError,
    OutcomeUnknownError,
    RielError,
    UnmappedAnswerError,
)
from riel.gateways.base import Charged, ChargeRequest, Declined, NotFound
from riel.gateways.registry import choose
from riel.gateways.simulator import SimulatorGateway

REQUEST = ChargeRequest("chg_1", "pay_1", Money(10_050, "MXN"), "tok_ok")
SUCCESS = {
    "idempotency_key": "chg_1",
    "status": "succeeded",
    "charge_id": "sim_1",
    "amount": 10_050,
    "currency": "MXN",
}
DECLINE = {"idempotency_key": "chg_1", "status": "declined", "decline_code": "insufficient_funds"}


def gateway(answer: httpx.Response | Exception) -> SimulatorGateway:
    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimulatorGateway(
        httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    )


def test_a_success_is_what_the_psp_says_it_took() -> None:
    answer = httpx.Response(200, json={**SUCCESS, "amount": 1, "currency": "JPY"})

    assert gateway(answer).charge(REQUEST) == Charged("sim_1", Money(1, "JPY"))


def test_a_decline_is_worded_for_the_merchant() -> None:
    answer = httpx.Response(200, json=DECLINE)

    assert gateway(answer).charge(REQUEST) == Declined(
        "insufficient_funds", "The card has insufficient funds."
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(503), GatewayUnavailableError),
        (httpx.Response(429), GatewayUnavailableError),
        (httpx.ConnectError("refused"), GatewayUnavailableError),
        (httpx.ConnectTimeout("slow"), GatewayUnavailableError),
        (httpx.ReadTimeout("slow"), OutcomeUnknownError),
        (httpx.WriteError("cut"), OutcomeUnknownError),
        (httpx.RemoteProtocolError("closed"), OutcomeUnknownError),
        (httpx.Response(500), OutcomeUnknownError),
        (httpx.Response(502), OutcomeUnknownError),
        (httpx.Response(504), OutcomeUnknownError),
        (httpx.Response(400), UnmappedAnswerError),
        (httpx.Response(302), UnmappedAnswerError),
        (httpx.Response(200, text="<html>"), UnmappedAnswerError),
        (httpx.Response(200, json=[]), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "status": "perhaps"}), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "idempotency_key": "other"}), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "charge_id": None}), UnmappedAnswerError),
        (httpx.Response(200, json={"verdict": "perhaps"}), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "amount": "10050"}), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "amount": 100.5}), UnmappedAnswerError),
        (httpx.Response(200, json={**SUCCESS, "currency": "XXX"}), UnmappedAnswerError),
        (
            httpx.Response(200, json={**DECLINE, "decline_code": "new_code"}),
            UnmappedAnswerError,
        ),
    ],
)
def test_every_other_answer_has_its_branch(
    answer: httpx.Response | Exception, error: type[RielError]
) -> None:
    with pytest.raises(error):
        gateway(answer).charge(REQUEST)


def test_a_look_up_finds_nothing_or_the_outcome() -> None:
    assert gateway(httpx.Response(404)).look_up("chg_1") == NotFound()
    assert gateway(httpx.Response(200, json=SUCCESS)).look_up("chg_1") == Charged(
        "sim_1", Money(10_050, "MXN")
    )


@pytest.mark.parametrize(
    "answer", [httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(502)]
)
def test_a_look_up_without_an_answer_changed_nothing(answer: httpx.Response | Exception) -> None:
    with pytest.raises(GatewayUnavailableError):
        gateway(answer).look_up("chg_1")


def test_the_key_and_the_amount_in_minor_units_are_sent() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=SUCCESS)

    client = httpx.Client(transport=httpx.MockTransport(respond), base_url="http://psp")
    SimulatorGateway(client).charge(REQUEST)

    (request,) = seen
    assert request.headers["idempotency-key"] == "chg_1"
    assert b'"amount":10050' in request.content.replace(b" ", b"")


@pytest.mark.parametrize(
    ("configured", "method", "livemode"),
    [
        (frozenset[str](), "card", False),
        (frozenset({"simulator"}), "oxxo", False),
        # Live keys never reach play money.
        (frozenset({"simulator"}), "card", True),
    ],
)
def test_without_a_gateway_the_method_is_unavailable(
    configured: frozenset[str], method: str, livemode: bool
) -> None:
    with pytest.raises(MethodUnavailableError):
        choose(configured, method, livemode)  # type: ignore[arg-type]  # the text is the method
