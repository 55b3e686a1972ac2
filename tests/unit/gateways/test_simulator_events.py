"""The simulator's events: verified first, then read strictly where it matters."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.simulator.posting import signature
from riel.errors import SignatureInvalidError, TimestampOutOfToleranceError, UnmappedAnswerError
from riel.gateways.base import GatewayEvent
from riel.gateways.simulator import SimulatorGateway
from tests.builders import NOON

SECRET = "a-secret"
EVENT: dict[str, Any] = {
    "id": "evt_sim_1",
    "type": "refund.succeeded",
    "created_at": "2026-04-17T11:59:59.000Z",
    "livemode": False,
    "data": {"payment_id": "pay_1", "refund_id": "re_1", "status": "succeeded"},
}
MEANT = GatewayEvent(
    "evt_sim_1", "refund.succeeded", False, NOON - timedelta(seconds=1), "pay_1", "re_1"
)
GATEWAY = SimulatorGateway(httpx.Client(base_url="http://psp"))


def parse(body: bytes, **headers: str) -> GatewayEvent:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    signed = {"simulator-signature": signature(SECRET, int(NOON.timestamp()), body)}
    return GATEWAY.parse_event({**signed, **named}, body, [SECRET], NOON)


def body_of(**fields: Any) -> bytes:
    event = {**EVENT, **fields}
    return json.dumps({k: v for k, v in event.items() if v is not ...}).encode()


def test_an_event_names_what_it_is_about() -> None:
    assert parse(body_of(), simulator_event_id="evt_sim_1") == MEANT


def test_fc_55_an_unknown_type_and_new_fields_pass() -> None:
    event = parse(body_of(type="moon.landed", data={"landed": True}, more=[1]))

    assert (event.type, event.payment_id, event.refund_id) == ("moon.landed", "", "")


@pytest.mark.parametrize("data", [..., None, {}])
def test_an_event_may_be_about_nothing_of_ours(data: object) -> None:
    assert parse(body_of(data=data)).payment_id == ""


def test_fc_50_without_its_header_an_event_has_the_same_id() -> None:
    assert parse(body_of()).event_id == parse(body_of(), simulator_event_id="evt_sim_1").event_id


def test_fc_50_nobody_gives_a_true_event_another_id() -> None:
    assert parse(body_of(), simulator_event_id="evt_sim_2").event_id == "evt_sim_1"


def test_fc_50_without_an_id_the_bytes_are_the_id() -> None:
    nameless = body_of(id=...)

    assert parse(nameless, simulator_event_id="evt_sim_9").event_id == "evt_sim_9"
    assert parse(nameless).event_id == parse(nameless).event_id
    assert parse(nameless).event_id != parse(nameless + b" ").event_id


def test_who_did_not_sign_is_not_read() -> None:
    with pytest.raises(SignatureInvalidError):
        GATEWAY.parse_event({}, b"[", [SECRET], NOON)
    with pytest.raises(SignatureInvalidError):
        parse(body_of(), simulator_signature="none")
    with pytest.raises(TimestampOutOfToleranceError):
        parse(body_of(), simulator_signature=signature(SECRET, 1, body_of()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        body_of(id=1),
        body_of(id=["a"]),
        body_of(type=...),
        body_of(type=7),
        body_of(livemode=...),
        body_of(livemode="false"),
        body_of(livemode=0),
        body_of(created_at=...),
        body_of(created_at="yesterday"),
        body_of(created_at="2026-04-17T11:59:59"),
        body_of(created_at="0001-01-01T00:00:00+14:00"),
        body_of(created_at="9999-12-31T23:59:59-10:00"),
        body_of(data=[1]),
        body_of(data={"payment_id": 5}),
    ],
)
def test_a_signed_body_that_can_not_be_read_is_said_so(body: bytes) -> None:
    with pytest.raises(UnmappedAnswerError):
        parse(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(event=st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, _JSON)))
def test_a_signed_body_of_any_shape_is_an_event_or_unmapped(event: dict[str, Any]) -> None:
    try:
        assert isinstance(parse(json.dumps(event).encode()), GatewayEvent)
    except UnmappedAnswerError:
        return
