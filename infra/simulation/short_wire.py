"""AWS's wire, left out: a run's calls reach the model without what only a network needs.

Serializers, headers and parsers take three times as long as the model, and a search finds as much
as it has time for. What a call means stays: its parameters as they are on the wire, the SDK's own
tokens, its own retries, its own errors. On the wire most things look as they do in Python; bytes
and times do not, and are looked for where KMS and Secrets Manager have them, at the top: no table
or message of ours has any. A test plays runs over both wires, and compares them line by line.
"""

from __future__ import annotations

import base64
import json
import marshal
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.handlers import generate_idempotent_uuid

from infra.simulation.sdk_retries import SdkRetries
from infra.simulation.transport import Answer, ServiceError


@dataclass(frozen=True, slots=True)
class _Response:
    """What the SDK's retries look at beside the answer itself."""

    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


class ShortWire:
    """Makes the calls of one client, in place of the client."""

    def __init__(self, client: Any, answer: Answer, retries: SdkRetries) -> None:
        self._service = client.meta.service_model.service_name
        self._models = client.meta.service_model
        self._errors = client.exceptions
        self._answer = answer
        self._retries = retries
        client._make_api_call = self._call  # noqa: SLF001 - botocore has no seam there

    def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Make a call; raises the client's own errors, and the wire's."""
        model = self._models.operation_model(operation)
        generate_idempotent_uuid(parameters, model)
        sent = {name: _serialized(value) for name, value in parameters.items()}
        context: dict[str, Any] = {"retries": {"invocation-id": str(uuid.uuid4())}}
        attempts = 1
        while True:
            response, parsed, failed = self._attempt(operation, _as_sent(sent))
            if failed is None and response.status_code == 200:
                break
            delay = self._retries.needs_retry(
                response=None if failed else (response, parsed),
                attempts=attempts,
                caught_exception=failed,
                request_dict={"context": context},
                operation=model,
            )
            if delay is None:
                break
            time.sleep(delay)
            attempts += 1
        if failed is not None:
            raise failed
        self._retries.release(context=context, http_response=response)
        parsed["ResponseMetadata"] |= {
            "HTTPStatusCode": response.status_code,
            "HTTPHeaders": response.headers,
            "RetryAttempts": attempts - 1,
        }
        if response.status_code != 200:
            raise self._errors.from_code(parsed["Error"]["Code"])(parsed, operation)
        return parsed

    def _attempt(
        self, operation: str, request: dict[str, Any]
    ) -> tuple[_Response, dict[str, Any], Exception | None]:
        try:
            answer = self._answer(self._service, operation, request)
        except ServiceError as refusal:
            code = refusal.code.rpartition("#")[2]
            error = {"Message": refusal.message, "Code": code}
            parsed = {"Error": error, "ResponseMetadata": {}, **refusal.fields}
            return _Response(refusal.status), parsed, None
        except Exception as error:  # noqa: BLE001 - the caller raises it, when no retry heals it
            return _Response(0), {}, error
        parsed = _parsed(_as_sent(answer), self._models.operation_model(operation).output_shape)
        parsed["ResponseMetadata"] = {}
        return _Response(200), parsed, None


def _serialized(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _parsed(answer: dict[str, Any], shape: Any) -> dict[str, Any]:
    members = shape.members if shape else {}
    for name, value in answer.items():
        kind = members[name].type_name
        if kind == "blob":
            answer[name] = base64.b64decode(value)
        elif kind == "timestamp":
            answer[name] = datetime.fromtimestamp(value, UTC)
    return answer


def _as_sent(value: Any) -> Any:
    """Return what arrives of a value: the same, in objects that nobody else has."""
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302 - our own, made a moment ago
    except ValueError:  # a member of an enumeration, which arrives as a string
        return json.loads(json.dumps(value))
