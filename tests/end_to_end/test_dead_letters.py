"""A poison payment: isolated, dead-lettered, alarmed, healed, sent back."""

from __future__ import annotations

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from infra.names import Names
from riel.app import App
from riel.config import Config
from riel.store.queues import Queue
from tests.end_to_end.client import Merchant, until

NAMES = Names("local")


def alarm_state(aws: Aws, name: str) -> str:
    (alarm,) = aws.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm["StateValue"]


def test_poison_ends_in_the_dead_letter_queue_with_an_alarm_and_comes_back(
    platform: LocalPlatform, merchant: Merchant, engine_aws: Aws
) -> None:
    dead_letters = Queue(engine_aws.queues, platform.state.queues["payments-dlq"])
    before = [merchant.create() for _ in range(3)]
    poison = merchant.create("tok_poison")
    after = [merchant.create() for _ in range(3)]

    # Its neighbours are done, while it is tried as often as the redrive policy says.
    for payment_id in (*before, *after):
        assert merchant.wait_final(payment_id)["status"] == "completed"
    payment = merchant.wait(poison, lambda found: found["attention"] is not None)
    assert (payment["status"], payment["attention"]) == ("processing", "dead_letter")
    until(dead_letters.depth, lambda depth: depth["visible"] == 1)
    alarm = NAMES.alarm("payments-dlq-depth")
    until(lambda: alarm_state(engine_aws, alarm), lambda state: state == "ALARM")
    for neighbour in ("webhooks-dlq-depth", "outbox-relay-dlq-depth"):
        assert alarm_state(engine_aws, NAMES.alarm(neighbour)) == "OK"

    # The PSP is mended, and an operator sends the message back.
    merchant.force(poison, "tok_ok")
    app = App(
        Config(payments_queue_url=platform.state.queues["payments"]),
        aws={
            "endpoint_url": platform.state.aws_endpoint,
            "region_name": platform.state.region,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        },
    )
    (message,) = dead_letters.receive(30)
    app.payments_queue.send_text(message.body)
    dead_letters.delete(message.receipt)

    healed = merchant.wait_final(poison)
    assert (healed["status"], healed["attention"]) == ("completed", None)
    assert len(merchant.charges(poison)) == 1
