"""How long a batch of ten takes beside its slowest payment, at the PSP's 2 to 5 seconds.

    .venv/bin/python -m tests.load.batch

The mapping of the payments queue is switched off, payments are posted, and the deployed processor
is invoked with one batch of one and one batch of ten. Ratios carry over; seconds do not.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.local.aws import Aws
from infra.local.platform import LocalPlatform
from tests.end_to_end.client import Merchant

BATCH = 10
LATENCY = "2-5"


def measure() -> dict[str, object]:
    """Run both batches and word the result."""
    os.environ["RIEL_SIMULATOR_LATENCY"] = LATENCY
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalPlatform(0, aws_port=0, simulator_port=0, state_folder=Path(folder)) as platform,
    ):
        aws = Aws(platform.state.aws_endpoint)
        merchant = Merchant(platform)
        _switch_off(aws, "riel-local-payments")
        one, _ = _run(aws, merchant, 1)
        batch, steps = _run(aws, merchant, BATCH)
        return {
            "batch of one": f"{one:.1f} s",
            f"batch of {BATCH}": f"{batch:.1f} s",
            "its slowest payment": f"{max(steps):.1f} s",
            "batch beside its slowest payment": f"{batch / max(steps):.2f} x",
            "one by one it would have taken": f"{sum(steps) / batch:.1f} x as long",
        }


def _run(aws: Aws, merchant: Merchant, size: int) -> tuple[float, Sequence[float]]:
    """Invoke the processor with a batch; return its seconds, and each payment's own."""
    ids = [merchant.create("tok_ok") for _ in range(size)]
    event = {"Records": [_record(number, payment_id) for number, payment_id in enumerate(ids)]}
    began = time.monotonic()
    answer = aws.functions.invoke(
        FunctionName="riel-local-processor", Payload=json.dumps(event).encode()
    )
    seconds = time.monotonic() - began
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    return seconds, [_step_seconds(merchant.get(payment_id)) for payment_id in ids]


def _step_seconds(payment: dict[str, Any]) -> float:
    at = {line["status"]: datetime.fromisoformat(line["at"]) for line in payment["history"]}
    return (at["completed"] - at["processing"]).total_seconds()


def _switch_off(aws: Aws, queue: str) -> None:
    """Let no message of the queue reach a function."""
    mappings = aws.functions.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = (m for m in mappings if m["EventSourceArn"].endswith(f":{queue}"))
    aws.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def _record(number: int, payment_id: str) -> dict[str, Any]:
    """One SQS record as Lambda hands it over."""
    body = {"payment_id": payment_id, "event_id": "", "traceparent": ""}
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:riel-local-payments",
        "awsRegion": "us-east-1",
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:>34}: {value}")
