"""The record that Lambda sends to a stream mapping's on-failure destination."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from infra.local.stream_decisions import Discarded, sequence_number, written_at


def failure_record(
    discarded: Discarded, *, function_arn: str, stream_arn: str, shard_id: str, now: float
) -> dict[str, Any]:
    """Return the JSON document in AWS's shape: positions in the stream, never the data.

    A batch that was given up without an invocation has no `responseContext`; one whose function
    reported the failure itself has no `functionError`.
    """
    batch = discarded.batch
    first, last = batch.records[0], batch.records[-1]
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function_arn,
            "condition": discarded.condition,
            "approximateInvokeCount": batch.invocations,
        },
        "version": "1.0",
        "timestamp": _iso(now, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": sequence_number(first),
            "endSequenceNumber": sequence_number(last),
            "approximateArrivalOfFirstRecord": _iso(written_at(first), "seconds"),
            "approximateArrivalOfLastRecord": _iso(written_at(last), "seconds"),
            "batchSize": len(batch.records),
            "streamArn": stream_arn,
        },
    }
    if batch.invocations:
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if discarded.function_error:
            record["responseContext"]["functionError"] = discarded.function_error
    return record


def _iso(timestamp: float, precision: str) -> str:
    moment = datetime.fromtimestamp(timestamp, UTC).isoformat(timespec=precision)
    return moment.replace("+00:00", "Z")
