"""Kill switches: new payments stop, accepted ones go on, and a store that is down stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from riel.app import App
from riel.domain.payment import Status
from riel.errors import InvalidRequestError
from riel.observability import metrics
from riel.services.process_payment import Step, process_payment
from riel.services.switches import (
    MAX_REASON_LENGTH,
    NAMES,
    READ_EVERY_SECONDS,
    all_switches,
    set_switch,
)
from tests.builders import FakeClock, make_app
from tests.integration.test_api import GOOD, Api

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetItem")
FAILURES = [DENIED, ConnectTimeoutError(endpoint_url="http://127.0.0.1:9")]


@pytest.fixture
def api(app: App, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(app, monkeypatch)
    api.app.clock = clock
    return api


class Broken:
    """A DynamoDB that counts what it is asked, and can fail for the item of the switches."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.failure: Exception | None = None
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_item(self, **parameters: Any) -> Any:
        if parameters["Key"]["pk"]["S"] != "switches":
            return self._inner.get_item(**parameters)
        self.reads += 1
        if self.failure:
            raise self.failure
        return self._inner.get_item(**parameters)


def switch_off(app: App, name: str) -> None:
    set_switch(app, name, is_on=False, who="ana", why="they are down")


def test_fc_46_new_payments_stop_and_accepted_ones_go_on(
    api: Api, app: App, clock: FakeClock
) -> None:
    before = api.post("before")
    for name in ("gateway.simulator", "gateway.standby"):
        switch_off(app, name)
    clock.advance(READ_EVERY_SECONDS)

    refused = api.post("after")
    repeat = api.post("before")
    payment_id = before["json"]["payment_id"]
    process_payment(app, Step(payment_id), receives=1)

    assert (refused["statusCode"], refused["json"]["code"]) == (503, "method_unavailable")
    assert refused["headers"]["Retry-After"]
    assert (repeat["statusCode"], repeat["body"]) == (202, before["body"])
    found = app.payments.get(payment_id)
    assert found is not None
    assert found.status == Status.COMPLETED
    set_switch(app, "gateway.simulator", is_on=True, who="bob", why="they are back")
    clock.advance(READ_EVERY_SECONDS)
    assert api.post("after")["statusCode"] == 202, "a refusal is not kept"


def test_a_gateway_that_is_off_leaves_new_payments_to_the_next(api: Api, app: App) -> None:
    switch_off(app, "gateway.simulator")

    answer = api.post("k")

    payment = app.payments.get(answer["json"]["payment_id"])
    assert payment is not None
    assert payment.gateway == "standby"


def test_a_method_that_is_off_harms_no_other(api: Api, app: App) -> None:
    switch_off(app, "method.oxxo")

    refused, taken = (api.post(m, {**GOOD, "method": m}) for m in ("oxxo", "spei"))

    assert (refused["statusCode"], taken["statusCode"]) == (503, 202)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda e: type(e).__name__)
def test_fc_46_what_can_not_be_read_stays_as_it_was_known(
    app: App, clock: FakeClock, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    app.__dict__["dynamodb"] = database = Broken(app.dynamodb)
    switch_off(app, "gateway.simulator")
    assert not app.switches.is_on("gateway.simulator")

    database.failure = failure
    clock.advance(READ_EVERY_SECONDS)

    assert not app.switches.is_on("gateway.simulator")
    assert app.switches.is_on("gateway.standby")
    database.failure = None
    set_switch(app, "gateway.simulator", is_on=True, who="ana", why="back")
    clock.advance(READ_EVERY_SECONDS)
    assert app.switches.is_on("gateway.simulator")


@pytest.mark.parametrize("failure", FAILURES, ids=lambda e: type(e).__name__)
def test_fc_46_an_environment_that_never_could_read_takes_everything_to_be_on(
    app: App, failure: Exception
) -> None:
    app.__dict__["dynamodb"] = database = Broken(app.dynamodb)
    switch_off(app, "method.card")
    database.failure = failure

    assert all(app.switches.is_on(name) for name in NAMES)
    assert database.reads == 1, "a store that is down is not asked by every payment"


def test_a_failed_read_is_counted(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.app.__dict__["dynamodb"] = database = Broken(api.app.dynamodb)
    database.failure = DENIED
    metrics.clear_metrics()  # what other tests of this process counted

    assert api.post("k")["statusCode"] == 202

    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [one["SwitchesNotRead"] for one in counted if "SwitchesNotRead" in one] == [[1.0]]


def test_switches_are_read_once_in_ten_seconds_and_after_a_clock_was_set_back(
    app: App, clock: FakeClock
) -> None:
    app.__dict__["dynamodb"] = database = Broken(app.dynamodb)
    for seconds, reads in ((0, 1), (9.9, 1), (0.1, 2), (5, 2), (-60, 3), (0, 3)):
        clock.advance(seconds)
        app.switches.is_on("method.card")
        app.switches.is_on("gateway.simulator")
        assert database.reads == reads, seconds


def test_two_operators_who_set_two_switches_lose_neither(app: App, aws: Any) -> None:
    other = make_app()
    first, second = (one.switch_store.read() for one in (app, other))
    assert first == second == {}

    switch_off(app, "method.oxxo")
    switch_off(other, "method.spei")

    off = {name for name, switch in all_switches(app).items() if switch and not switch.is_on}
    assert off == {"method.oxxo", "method.spei"}


def test_health_names_what_is_switched_off_and_is_well(api: Api, clock: FakeClock) -> None:
    assert api("GET", "/health")["json"]["checks"]["switches"] == "ok"
    switch_off(api.app, "gateway.simulator")
    clock.advance(READ_EVERY_SECONDS)

    answer = api("GET", "/health")

    assert (answer["statusCode"], answer["json"]["status"]) == (200, "ok")
    assert answer["json"]["checks"]["switches"] == "off: gateway.simulator"


def test_a_switch_says_who_set_it_why_and_when(app: App, clock: FakeClock) -> None:
    set_switch(app, "method.card", is_on=False, who="ana", why="  case 4711 ")

    switch = all_switches(app)["method.card"]
    assert switch is not None
    assert (switch.is_on, switch.who, switch.why) == (False, "ana", "case 4711")
    assert switch.at == clock.now
    assert all_switches(app)["method.oxxo"] is None


@pytest.mark.parametrize(
    ("name", "why", "told"),
    [
        ("gateway.stripe", "x", "gateway.simulator, gateway.standby, method.card"),
        ("pk", "x", "there is no switch 'pk'"),
        ("method.card", " ", "500 characters"),
        ("method.card", "x" * (MAX_REASON_LENGTH + 1), "500 characters"),
    ],
)
def test_an_unknown_name_or_no_reason_is_refused(app: App, name: str, why: str, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        set_switch(app, name, is_on=False, who="ana", why=why)

    assert app.switch_store.read() == {}
