"""Records of a DynamoDB stream: read from the streams API, shaped as Lambda hands them over."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from infra.local.stream_decisions import Record


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> Record:
    """Return a record of GetRecords in the shape of a Lambda event.

    Times become seconds since the epoch, the stream's ARN is added, and the identity of a TTL
    deletion gets the lower-case names that Lambda uses.
    """
    change = dict(record["dynamodb"])
    created = change.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        change["ApproximateCreationDateTime"] = created.timestamp()
    event = {**record, "dynamodb": change, "eventSourceARN": stream_arn}
    if identity := record.get("userIdentity"):
        event["userIdentity"] = {
            "principalId": identity.get("PrincipalId"),
            "type": identity.get("Type"),
        }
    return event


def lambda_payload(records: Sequence[Record]) -> bytes:
    """Return the event of one invocation as JSON; binary attributes are base64, as on AWS."""
    return json.dumps({"Records": records}, default=_base64).encode()


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a stream record holds no {type(value).__name__}")
