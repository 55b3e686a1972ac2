"""The forms of the messages, old ones included."""

from __future__ import annotations

from typing import Any

import pytest

from riel.errors import MalformedMessageError
from riel.services.steps import RefundStep, Step, body_of

STEP = Step("pay_1", 3, "00-trace", True, "standby")
REFUND_STEP = RefundStep("pay_1", "re_1", 3, "00-trace", True, "standby")


def test_a_step_is_read_as_it_was_written() -> None:
    assert Step.read(body_of(STEP)) == STEP
    assert RefundStep.read(body_of(REFUND_STEP)) == REFUND_STEP


def test_what_the_relay_and_the_sweeper_write_can_be_read() -> None:
    relayed = {"payment_id": "pay_1", "event_id": "evt_1", "gateway": "", "traceparent": "t"}
    swept = {"payment_id": "pay_1", "look": True, "waits": 0}

    assert Step.read(relayed) == Step("pay_1", traceparent="t")
    assert Step.read(swept) == Step("pay_1", look=True)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "pay_1",
        {},
        {"payment_id": "pay_1", "refund_id": "re_1", "waits": "many"},
        {"payment_id": "pay_1", "refund_id": "re_1", "waits": -1},
        {"payment_id": "pay_1", "refund_id": "re_1", "look": "yes"},
    ],
)
def test_what_is_no_step_is_refused(body: Any) -> None:
    for kind in (Step, RefundStep):
        with pytest.raises(MalformedMessageError):
            kind.read(body)
