"""The outbox's stream as an operator reads it: at the positions of what the relay gave up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.stream_decisions import Record, sequence_number
from infra.simulation.transport import ServiceError

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/outbox/stream/simulated"
_PAGE = 1000


class KeptStream:
    """All records of all shards; AWS keeps a day of them, and no run lasts so long."""

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}

    def keep(self, shard: str, record: Record) -> None:
        """Keep a shard's next record."""
        self._records.setdefault(shard, []).append(record)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request as it is on the wire."""
        if operation == "GetShardIterator":
            assert request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER", "all that operators ask"
            return {"ShardIterator": f"{request['ShardId']} {request['SequenceNumber']}"}
        if operation != "GetRecords":
            raise NotImplementedError(f"the model of streams has no {operation}")
        shard, _, first = request["ShardIterator"].partition(" ")
        if shard not in self._records:
            raise ServiceError("ResourceNotFoundException", shard)
        found = [r for r in self._records[shard] if int(sequence_number(r)) >= int(first)][:_PAGE]
        after = int(sequence_number(found[-1])) + 1 if found else int(first)
        return {"Records": found, "NextShardIterator": f"{shard} {after}"}
