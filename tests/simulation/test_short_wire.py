"""A run is the same whether its calls go over AWS's wire, as the SDK speaks it, or leave it out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from infra.simulation import seams
from infra.simulation.deployment import Deployment
from infra.simulation.exhaustive import SEED
from infra.simulation.faults import Chosen, Fault
from infra.simulation.gate import Passed
from infra.simulation.points import points_of
from infra.simulation.runs import run
from infra.simulation.scenarios import SCENARIOS
from infra.simulation.sdk_retries import SdkRetries
from infra.simulation.seeds import Search, Trial, try_seed
from infra.simulation.short_wire import ShortWire
from infra.simulation.transport import ServiceError, new_client
from riel import app as riel_app

ALL = seams.SHORT
EVERY = 19
"""Of a scenario's points: enough to meet each fault on the way to each service."""


def over(services: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seams, "SHORT", services)
    seams._client.cache_clear()
    seams._retries.cache_clear()


@pytest.fixture(autouse=True)
def _whole_again() -> Iterator[None]:
    yield
    seams._client.cache_clear()
    seams._retries.cache_clear()


@pytest.mark.parametrize(
    "scenario", ["card-fallback", "outbox-replayed", "refund-twice", "voucher-canceled"]
)
def test_faults_come_out_alike_over_both_wires(
    scenario: str, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def played(faults: dict[str, Fault]) -> list[Passed]:
        return run(deployment, SCENARIOS[scenario], SEED, Chosen(faults), is_strict=True).passed

    tried = points_of(played({})).tried[::EVERY]
    broken = [{}, *({name: fault} for name, fault in tried)]
    short = [played(faults) for faults in broken]
    over(frozenset(), monkeypatch)
    whole = [played(faults) for faults in broken]

    assert len({fault for _, fault in tried}) > 5
    assert all(here == there for here, there in zip(short, whole, strict=True))


@pytest.mark.parametrize("seed", [3, 7, 21])
def test_seeds_come_out_alike_over_both_wires(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(Search(payments=(0, 1, 2)), seed, with_trace=True)
    short = try_seed(trial)
    over(frozenset(), monkeypatch)

    assert try_seed(trial) == short


def test_a_service_that_takes_the_short_wire_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    over(ALL, monkeypatch)

    for service in sorted(ALL):
        assert isinstance(seams._client(service)._make_api_call.__self__, ShortWire)


def test_the_clients_errors_are_raised_with_what_the_service_said_beside() -> None:
    reasons = [{"Code": "ConditionalCheckFailed", "Item": {"pk": {"S": "a"}}}]

    def refuse(*_: object) -> dict[str, object]:
        raise ServiceError(
            "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "no",
            CancellationReasons=reasons,
        )

    client = new_client("dynamodb", riel_app._BOTO, refuse)
    ShortWire(client, refuse, SdkRetries(1))

    with pytest.raises(client.exceptions.TransactionCanceledException) as raised:
        client.transact_write_items(TransactItems=[])
    assert isinstance(raised.value, ClientError)
    assert raised.value.response["Error"] == {
        "Code": "TransactionCanceledException",
        "Message": "no",
    }
    assert raised.value.response["CancellationReasons"] == reasons
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_silent_service_is_asked_as_often_as_the_retries_allow() -> None:
    asked = []

    def silent(*about: object) -> dict[str, object]:
        asked.append(about)
        raise ReadTimeoutError(endpoint_url="http://dynamodb.simulated")

    client = new_client("dynamodb", riel_app._BOTO, silent)
    ShortWire(client, silent, SdkRetries(riel_app.MAX_ATTEMPTS))

    with pytest.raises(ReadTimeoutError):
        client.get_item(TableName="payments", Key={})
    assert len(asked) == riel_app.MAX_ATTEMPTS
    assert asked[0] == asked[1]
