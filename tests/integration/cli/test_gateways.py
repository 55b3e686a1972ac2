"""`riel gateways` on the engine: what PSPs sent and nobody could settle."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel import ids
from riel.store.inbox import InboxEvent, InboxStore, KeptBody, State
from tests.builders import NOON
from tests.end_to_end.client import Merchant, until
from tests.integration.cli.conftest import Riel


@pytest.fixture
def inbox(platform: LocalPlatform, engine_aws: Aws) -> InboxStore:
    return InboxStore(engine_aws.dynamodb, Names("local").table("payments"))


def put(inbox: InboxStore, name: str, state: State, **fields: Any) -> str:
    body = KeptBody("0" * 64, 2, "utf-8", "{}")
    event = InboxEvent(ids.inbox_id("simulator", name), "simulator", name, NOON, body, **fields)
    if inbox.put(event) is None and state is not State.RECEIVED:
        assert inbox.settle(event, state, "for the test")
    return event.inbox_id


def listed(riel: Riel, *options: str) -> set[str]:
    return {event["id"] for event in riel.json("gateways", "events", *options)["data"]}


def test_events_that_wait_for_a_person_are_listed_by_state_and_shown_with_their_body(
    riel: Riel, inbox: InboxStore
) -> None:
    foreign = put(inbox, "cli-foreign", State.FOREIGN, type="charge.succeeded")
    unmatched = put(inbox, "cli-unmatched", State.UNMATCHED)
    processed = put(inbox, "cli-processed", State.PROCESSED)

    until(lambda: listed(riel), lambda found: {foreign, unmatched} <= found)

    assert processed not in listed(riel)
    assert unmatched not in listed(riel, "--state", "foreign")
    assert listed(riel, "--gateway", "standby") == set()
    assert foreign in riel("gateways", "events")
    assert riel.json("gateways", "show", foreign)["body"]["text"] == "{}"
    screen = riel("gateways", "show", foreign)
    assert "for the test" in screen
    assert "2 bytes" in screen


def test_an_unmatched_event_is_looked_into_again_when_an_operator_says_so(
    riel: Riel, merchant: Merchant, inbox: InboxStore
) -> None:
    payment_id = merchant.create()
    merchant.wait_final(payment_id)
    event_id = put(inbox, "cli-retried", State.UNMATCHED, payment_id=payment_id)

    assert "looked into again" in riel("gateways", "retry", event_id)

    until(lambda: riel.json("gateways", "show", event_id)["state"], lambda s: s == "processed")
    assert "the event is processed" in riel("gateways", "retry", event_id, code=1)


def test_an_event_that_an_operator_has_dealt_with_is_closed_with_who_and_why(
    riel: Riel, inbox: InboxStore
) -> None:
    event_id = put(inbox, "cli-closed", State.FOREIGN)
    until(lambda: listed(riel), lambda found: event_id in found)

    assert riel("gateways", "close", event_id, "--reason", "ticket 2") == f"{event_id} is closed.\n"

    until(lambda: listed(riel), lambda found: event_id not in found)
    assert "ticket 2; foreign: for the test" in riel("gateways", "show", event_id)
    assert "the event is closed" in riel("gateways", "close", event_id, "--reason", "x", code=1)


def test_an_unknown_event_is_one_sentence_and_where_to_look(riel: Riel) -> None:
    for name, *more in (("show",), ("retry",), ("close", "--reason", "x")):
        said = riel("gateways", name, "inb_unknown", *more, code=1)

        assert said.startswith("There is no event inb_unknown on the stage local.\n")
        assert "gateways events" in said
