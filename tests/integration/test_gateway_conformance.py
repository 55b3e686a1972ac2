"""Both simulated PSPs against the conformance suite, over a real socket."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from functions.simulator.charges import RefundStatus, Status
from functions.simulator.charging import DECLINES as TOKENS_THAT_DECLINE
from functions.simulator.charging import VOUCHER_DECLINES
from functions.simulator.refunds import EXCEEDS_CHARGE, REFUND_DECLINED
from riel.gateways import simulator_answers
from riel.gateways.base import NotFound
from riel.gateways.simulator import SimulatorGateway
from tests.conformance import GatewayConformance, Psp
from tests.simulator_stage import SimulatorStage, running_simulator

TOKENS = {
    "charged": "tok_ok",
    "hard_decline": "tok_declined",
    "no_funds": "tok_insufficient_funds",
    "soft_decline": "tok_issuer_unavailable",
    "soft_decline_once": "tok_declined_once",
    "unavailable": "tok_unavailable",
    "lost_after": "tok_timeout_after_charge",
    "lost_before": "tok_timeout_before_charge",
    "wrong_amount": "tok_wrong_amount",
    "wrong_currency": "tok_wrong_currency",
    "wrong_reference": "tok_wrong_reference",
    "poison": "tok_poison",
    "expires_soon": "tok_expires_soon",
    "refund_declined": "tok_refund_declined",
    "refund_lost_after": "tok_refund_timeout",
}

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorStage]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), latency="0-0") as stage:
        yield stage


def psp_named(stage: SimulatorStage, name: str, clients: list[httpx.Client]) -> Psp:
    patient, impatient = clients

    def pay(payment_id: str, minor: int, deposit_id: str) -> None:
        stage.pay(payment_id, amount=minor, deposit_id=deposit_id).raise_for_status()

    return Psp(
        gateway=SimulatorGateway(patient, name),
        impatient=SimulatorGateway(impatient, name),
        # The second PSP is there when the first one is not.
        tokens={k: v for k, v in TOKENS.items() if (name, k) != ("standby", "unavailable")},
        pay=pay,
        heal=lambda payment_id: stage.force(payment_id, "tok_ok"),
        moved=stage.charges,
        refunded=stage.refunds,
    )


@pytest.fixture(params=["simulator", "standby"], scope="module")
def psp(request: pytest.FixtureRequest, stage: SimulatorStage) -> Iterator[Psp]:
    with (
        httpx.Client(base_url=stage.url, timeout=60, trust_env=False) as patient,
        httpx.Client(base_url=stage.url, timeout=0.5, trust_env=False) as impatient,
    ):
        yield psp_named(stage, request.param, [patient, impatient])


class TestSimulatedPsps(GatewayConformance):
    """Every test of the suite, on both."""


def test_one_psp_knows_nothing_of_the_others_charges(stage: SimulatorStage) -> None:
    with httpx.Client(base_url=stage.url, timeout=60, trust_env=False) as client:
        psps = [psp_named(stage, name, [client, client]) for name in ("simulator", "standby")]
        request = psps[0].charged()

        assert psps[1].gateway.look_up(request.key) == NotFound()
        assert psps[1].gateway.charge(request) != psps[0].gateway.look_up(request.key)
        gateways = [charge["gateway"] for charge in stage.charges(request.payment_id)]
        assert sorted(gateways) == ["simulator", "standby"], "the list counts both"


def test_every_status_and_code_of_the_server_is_mapped_and_no_other() -> None:
    assert simulator_answers.CHARGE_STATUSES.keys() == set(Status) - {Status.POISONED}
    assert simulator_answers.REFUND_STATUSES.keys() == set(RefundStatus)
    declines = {*TOKENS_THAT_DECLINE.values(), *VOUCHER_DECLINES.values()}
    assert simulator_answers.DECLINES.keys() == declines
    assert simulator_answers.REFUND_DECLINES.keys() == {EXCEEDS_CHARGE, REFUND_DECLINED}


def test_the_standby_is_there_when_the_first_psp_is_not(stage: SimulatorStage) -> None:
    body = {
        "payment_id": f"pay_{uuid.uuid4().hex}",
        "amount": 100,
        "currency": "MXN",
        "token": "tok_unavailable",
    }
    headers = {"Idempotency-Key": uuid.uuid4().hex}

    assert stage.http.post("/charges", json=body, headers=headers).status_code == 503
    assert stage.http.post("/standby/charges", json=body, headers=headers).status_code == 200
