"""Reads the outbox's stream at given positions, as long as it keeps them (24 hours).

What the relay gives up on is told by position only, so this is how an operator learns which
records they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient

MAX_PAGES = 20
"""A batch has at most 100 records; pages of an open shard may be empty."""
_GONE = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Positions:
    """A stretch of one shard, both ends included. Sequence numbers are compared as numbers."""

    stream_arn: str
    shard_id: str
    first: str
    last: str


def read_stream(streams: DynamoDBStreamsClient, positions: Positions) -> list[Record]:
    """Return the records of a stretch, or none when the stream has forgotten them."""
    try:
        return list(_records(streams, positions))
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return []
        raise


def _records(streams: DynamoDBStreamsClient, positions: Positions) -> Iterator[Record]:
    iterator: str | None = streams.get_shard_iterator(
        StreamArn=positions.stream_arn,
        ShardId=positions.shard_id,
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=positions.first,
    )["ShardIterator"]
    for _ in range(MAX_PAGES):
        if iterator is None:
            return
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            at = int(record["dynamodb"]["SequenceNumber"])
            if at <= int(positions.last):
                yield record
            if at >= int(positions.last):
                return
        iterator = page.get("NextShardIterator")
