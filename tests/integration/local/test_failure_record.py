"""The record for the on-failure destination has AWS's shape."""

from __future__ import annotations

from aws_lambda_powertools.utilities.parser.models import (
    DynamoDBStreamLambdaOnFailureDestinationModel,
)

from infra.local.failure_record import failure_record
from infra.local.stream_decisions import RECORD_TOO_OLD, RETRIES_EXHAUSTED, Batch, Discarded
from tests.integration.local.test_stream_decisions import record

NOW = 1574640829.717
PLACE = {
    "function_arn": "arn:aws:lambda:us-east-1:000000000000:function:relay",
    "stream_arn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2019-11-14T00:04:06.388",
    "shard_id": "shardId-1",
}


def test_a_batch_out_of_retries_is_described_by_its_position() -> None:
    batch = Batch((record(7, 1574640799), record(9, 1574640800)), invocations=4)
    discarded = Discarded(batch, RETRIES_EXHAUSTED, "Unhandled")
    document = failure_record(discarded, now=NOW, **PLACE)
    assert document["timestamp"] == "2019-11-25T00:13:49.717Z"
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 4
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert document["DDBStreamBatchInfo"] == {
        "shardId": "shardId-1",
        "startSequenceNumber": "7",
        "endSequenceNumber": "9",
        "approximateArrivalOfFirstRecord": "2019-11-25T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-25T00:13:20Z",
        "batchSize": 2,
        "streamArn": PLACE["stream_arn"],
    }


def test_powertools_can_read_it() -> None:
    batch = Batch((record(7, 1574640799),), invocations=4)
    document = failure_record(Discarded(batch, RETRIES_EXHAUSTED, "Unhandled"), now=NOW, **PLACE)
    parsed = DynamoDBStreamLambdaOnFailureDestinationModel.model_validate(document)
    assert parsed.ddb_stream_batch_info.batch_size == 1


def test_a_record_that_was_never_handed_over_has_no_response() -> None:
    discarded = Discarded(Batch((record(7, 0),)), RECORD_TOO_OLD)
    assert "responseContext" not in failure_record(discarded, now=NOW, **PLACE)
