"""`POST /api/v1/gateways/{gateway}/webhooks`: what is taken, what is refused, what is kept."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig

from riel import ids
from riel.app import App
from riel.store.inbox import State
from tests.builders import NOON
from tests.gateway_events import SECRET_NAME, event_body, sign
from tests.integration.inbound import (
    BODY,
    INBOX_ID,
    PATH,
    PAYMENT_ID,
    Inbound,
    everything,
    kept,
    messages,
    metrics_of,
    refused,
)

DAY = timedelta(days=1)


def test_an_event_is_stored_once_and_sent_to_be_looked_into(
    inbound: Inbound, listening: App
) -> None:
    answer = inbound.post()

    assert (answer.status, json.loads(answer.body)) == (200, {"received": True})
    event = kept(listening)
    assert (event.state, event.payment_id, event.type) == (
        "received",
        PAYMENT_ID,
        "charge.succeeded",
    )
    assert (event.body.text.encode(), event.body.encoding) == (BODY, "utf-8")
    assert messages(listening) == [
        {"inbox_id": INBOX_ID, "waits": 0, "traceparent": "", "payment_id": PAYMENT_ID}
    ]


def test_every_answer_carries_a_request_id_and_the_trace_goes_on(
    inbound: Inbound, listening: App
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    named = {"X-Request-Id": "psp-42", "traceparent": trace}

    assert inbound.post(headers={**sign(BODY), **named}).headers["X-Request-Id"] == "psp-42"
    assert inbound.post(headers={}).headers["X-Request-Id"] == "JKJaXmPLvHcESHA="
    assert messages(listening)[0]["traceparent"] == trace
    assert kept(listening).traceparent == trace


def test_a_body_that_is_sent_as_text_or_as_base_64_is_the_same_bytes(inbound: Inbound) -> None:
    body = event_body(PAYMENT_ID, note="café ☕").replace(b"\\u00e9", "é".encode())

    answers = [
        inbound.send("POST", PATH, body, sign(body), as_text=as_text) for as_text in (True, False)
    ]

    assert [answer.status for answer in answers] == [200, 200]


def test_fc_49_a_replay_before_the_event_was_processed_is_sent_again_and_stored_once(
    inbound: Inbound, listening: App
) -> None:
    assert [inbound.post().status for _ in range(3)] == [200, 200, 200]

    assert len(messages(listening)) == 3
    assert len([item for item in everything(listening) if item["sk"]["S"] == "inbox"]) == 1


@pytest.mark.parametrize("state", [State.PROCESSED, State.FOREIGN])
def test_fc_49_a_replay_of_what_was_settled_is_only_answered(
    inbound: Inbound, listening: App, state: State
) -> None:
    inbound.post()
    assert listening.inbox.settle(kept(listening), state, "done")
    listening.gateway_events_queue.delete(listening.gateway_events_queue.receive(0)[0].receipt)

    assert inbound.post().status == 200

    assert messages(listening) == []
    assert kept(listening).state == state


def test_fc_49_one_event_id_is_two_events_at_two_gateways(inbound: Inbound, listening: App) -> None:
    for gateway in ("simulator", "standby"):
        assert inbound.post(path=f"/api/v1/gateways/{gateway}/webhooks").status == 200

    assert {
        kept(listening, ids.inbox_id(g, "evt_sim_1")).gateway for g in ("simulator", "standby")
    } == {
        "simulator",
        "standby",
    }


def test_fc_50_without_an_id_in_the_body_the_header_names_the_event(
    inbound: Inbound, listening: App
) -> None:
    body = event_body(PAYMENT_ID, None)

    inbound.post(body, {**sign(body), "simulator-event-id": "evt_of_the_header"})

    assert kept(listening, ids.inbox_id("simulator", "evt_of_the_header")).event_id


def test_fc_50_with_the_id_stripped_a_repeat_is_still_found_by_its_body(
    inbound: Inbound, listening: App
) -> None:
    one, other = event_body(PAYMENT_ID, None), event_body(PAYMENT_ID, None, type="charge.declined")

    for body in (one, one, other):
        assert inbound.post(body).status == 200

    bodies = {item["body"]["S"].encode() for item in everything(listening)}
    assert bodies == {one, other}
    assert len(everything(listening)) == 2


def nowhere(service: str) -> Any:
    """A client of an AWS that does not answer: nothing listens on this port."""
    once = BotoConfig(retries={"total_max_attempts": 1}, connect_timeout=1)
    return boto3.client(service, endpoint_url="http://127.0.0.1:9", config=once)  # type: ignore[call-overload]


@pytest.mark.parametrize("client", ["dynamodb", "sqs"])
def test_fc_53_where_our_store_or_queue_fails_the_psp_is_asked_to_come_again(
    inbound: Inbound, listening: App, client: str
) -> None:
    inbound.app.__dict__[client] = nowhere(client)

    answer = inbound.post()

    refused(answer, 503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_fc_53_what_was_stored_and_not_sent_is_sent_when_the_psp_comes_again(
    inbound: Inbound, listening: App
) -> None:
    working = inbound.app.sqs
    inbound.app.__dict__["sqs"] = nowhere("sqs")
    assert inbound.post().status == 503

    inbound.app.__dict__["sqs"] = working
    inbound.app.__dict__.pop("gateway_events_queue")

    assert inbound.post().status == 200
    assert [message["inbox_id"] for message in messages(listening)] == [INBOX_ID]


def test_fc_53_without_any_secret_nothing_is_judged_and_nothing_is_lost(
    inbound: Inbound, listening: App
) -> None:
    boto3.client("secretsmanager").delete_secret(
        SecretId=SECRET_NAME, ForceDeleteWithoutRecovery=True
    )

    refused(inbound.post(), 503, "store_unavailable")


def test_fc_55_a_body_too_long_to_keep_is_taken_without_it(
    inbound: Inbound, listening: App
) -> None:
    body = event_body(PAYMENT_ID, padding="x" * (1024 * 1024 + 1))

    assert inbound.post(body).status == 200

    event = kept(listening)
    assert (event.state, event.payment_id) == ("received", PAYMENT_ID)
    assert event.body.sha256 == hashlib.sha256(body).hexdigest()
    assert (event.body.size, event.body.text, event.body.encoding) == (len(body), "", "")


def test_fc_55_an_oversize_body_that_is_not_signed_is_401(inbound: Inbound) -> None:
    refused(inbound.post(b"x" * (1024 * 1024 + 1), sign(BODY)), 401, "signature_invalid")


def test_fc_55_unknown_types_and_new_fields_are_taken_and_kept(
    inbound: Inbound, listening: App
) -> None:
    body = event_body(PAYMENT_ID, type="charge.teleported", news={"deep": [1, 2, {"x": None}]})

    assert inbound.post(body).status == 200

    event = kept(listening)
    assert event.type == "charge.teleported"
    assert json.loads(event.body.text)["news"] == {"deep": [1, 2, {"x": None}]}


UNREADABLE = {
    "not JSON": b"hello",
    "nothing": b"",
    "a list": b"[]",
    "no type": b'{"id": "evt_1", "livemode": false}',
    "too deep": b'{"a":' * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "a time before the calendar": event_body("pay_1", created_at="0001-01-01T00:00:00+14:00"),
    "a time after the calendar": event_body("pay_1", created_at="9999-12-31T23:59:59-10:00"),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_fc_55_what_is_signed_and_not_understood_is_kept_for_a_person(
    inbound: Inbound, listening: App, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [inbound.post(body).status for _ in range(2)] == [200, 200]

    (item,) = everything(listening)
    event = kept(listening, item["pk"]["S"])
    assert event.state == "unreadable"
    assert messages(listening) == []
    assert "GatewayEventUnreadable" in metrics_of(capsys.readouterr().out)
    if event.body.encoding == "base64":
        assert base64.b64decode(event.body.text) == body
    elif event.body.encoding:
        assert event.body.text.encode() == body


HOSTILE: dict[str, Callable[[], bytes]] = {
    "half a character": lambda: event_body("pay_\ud800", "evt_\udfff", type="\ud800"),
    "a NUL": lambda: event_body("pay_\x00", "evt_\x00"),
    "a very long id": lambda: event_body("pay_" + "x" * 5_000, "e" * 5_000, type="t" * 5_000),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_no_table_takes_is_no_reason_for_a_5xx(
    inbound: Inbound, listening: App, make: Callable[[], bytes]
) -> None:
    assert inbound.post(make()).status == 200

    (item,) = everything(listening)
    assert kept(listening, item["pk"]["S"]).state == "received"


def test_an_unknown_gateway_and_an_unknown_path_are_404(inbound: Inbound) -> None:
    for gateway in ("stripe", "Simulator", "simulator%2F..", "x" * 50):
        refused(inbound.post(path=f"/api/v1/gateways/{gateway}/webhooks"), 404, "not_found")
    refused(inbound.post(path="/api/v1/gateways/simulator/webhooks/"), 404, "not_found")


def test_another_verb_is_405_and_names_the_one(inbound: Inbound) -> None:
    answer = inbound.send("GET", PATH, b"", {})

    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


def test_an_event_is_deleted_after_90_days_unless_nobody_could_place_it(
    inbound: Inbound, listening: App
) -> None:
    def expires_at() -> str | None:
        (item,) = everything(listening)
        return str(item["expires_at"]["N"]) if "expires_at" in item else None

    after_90_days = str(int((NOON + 90 * DAY).timestamp()))
    inbound.post()
    assert expires_at() == after_90_days

    assert listening.inbox.wait(kept(listening), NOON + DAY)
    assert expires_at() is None

    assert listening.inbox.settle(kept(listening), State.PROCESSED, "looked")
    assert expires_at() == after_90_days
