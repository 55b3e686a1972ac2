"""AWS's wire, in memory: real boto3 clients whose requests a model answers.

The model stands where botocore would open a connection, so serializers, parsers and the SDK's own
retries are the real ones. All four services that the product calls speak JSON.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config as BotoConfig

REGION = "us-east-1"

Answer = Callable[[str, str, dict[str, Any]], Mapping[str, Any]]
"""Answers a request, given the service, the operation and its parameters as they are on the wire.

It raises ServiceError for a refusal, and botocore's own errors for a wire that failed.
"""


class ServiceError(Exception):
    """A refusal, as AWS words it; `fields` go into the answer's body beside code and message."""

    def __init__(self, code: str, message: str = "", status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message or code
        self.status = status
        self.fields = fields


class _Body(io.BytesIO):
    """What botocore reads an answer from."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def attach(client: Any, answer: Answer) -> None:
    """Let `answer` stand where this client's network was."""
    service = client.meta.service_model.service_name

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return respond(request, lambda operation, sent: answer(service, operation, sent))

    client.meta.events.register(f"before-send.{service}", send)


def respond(
    request: AWSPreparedRequest, answer: Callable[[str, dict[str, Any]], Mapping[str, Any]]
) -> AWSResponse:
    """Answer one request, given its operation and its parameters."""
    # Such a header is `DynamoDB_20120810.PutItem`.
    target = request.headers["X-Amz-Target"]
    name = target.decode() if isinstance(target, bytes) else target
    operation = name.rpartition(".")[2]
    try:
        status, body = 200, answer(operation, json.loads(_sent(request)))
    except ServiceError as error:
        status = error.status
        body = {"__type": error.code, "message": error.message, **error.fields}
    return _response(request, status, body)


def new_client(service: str, config: BotoConfig, answer: Answer) -> Any:
    """Make a client with the product's own settings, whose requests `answer` gets."""
    settings = config.merge(BotoConfig(signature_version=UNSIGNED))
    client = _session().client(  # type: ignore[call-overload]
        service, REGION, config=settings, endpoint_url=f"http://{service}.simulated"
    )
    attach(client, answer)
    _keep_endpoints(client)
    _take_values_as_they_are(client._response_parser)  # noqa: SLF001 - botocore has no seam there
    return client


def _take_values_as_they_are(parser: Any) -> None:
    """Let an attribute of DynamoDB through: on the wire it looks as it does when it is parsed.

    Each of its ten kinds is asked for in turn otherwise, a third of a call's time. Only bytes would
    look different, and no table of ours has any.
    """
    whole = parser._handle_structure  # noqa: SLF001

    def handle(shape: Any, value: Any) -> Any:
        return value if shape.name == "AttributeValue" else whole(shape, value)

    parser._handle_structure = handle  # noqa: SLF001


@cache
def _session() -> boto3.session.Session:
    """Read what describes the services once."""
    return boto3.session.Session()


def _keep_endpoints(client: Any) -> None:
    """Resolve each operation's endpoint once: here it is always the same, and a fifth of a call."""
    resolver = client._ruleset_resolver  # noqa: SLF001
    resolve, kept = resolver.construct_endpoint, {}

    def construct(operation_model: Any, *about: Any, **named: Any) -> Any:
        if operation_model.name not in kept:
            kept[operation_model.name] = resolve(operation_model, *about, **named)
        return kept[operation_model.name]

    resolver.construct_endpoint = construct


def _sent(request: AWSPreparedRequest) -> bytes:
    body = request.body
    assert isinstance(body, bytes), "a request of JSON"
    return body


def _response(request: AWSPreparedRequest, status: int, body: Mapping[str, Any]) -> AWSResponse:
    text = json.dumps(body, default=_bytes).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(text))}
    return AWSResponse(request.url, status, headers, _Body(text))  # type: ignore[arg-type]


def _bytes(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{value!r} is not JSON")
