"""Starts the function's workers before anybody waits: stands in for provisioned concurrency.

On the engine each concurrent invocation beyond the warm workers forks a process, which takes
about a second. Harmless events are sent at once, by the same address that the callers use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from infra.local.aws import Aws
from infra.local.errors import LocalStageError

# More workers for a queue start by themselves when a burst comes; memory is worth more here.
MOST_WORKERS_PER_QUEUE: Final = 2
_NO_RECORDS: Final[Mapping[str, Any]] = {"Records": []}


@dataclass(frozen=True)
class Target:
    """A function as its caller addresses it, and how many workers to start."""

    function: str
    workers: int
    event: Mapping[str, Any]


def targets_of(aws: Aws, api_id: str, api_workers: int) -> list[Target]:
    """Return what to warm: the API's function first, then the consumers of streams and queues."""
    integrations = aws.client("apigatewayv2").get_integrations(ApiId=api_id)["Items"]
    targets = [
        Target(_function_of(i["IntegrationUri"]), api_workers, health_event(api_id))
        for i in integrations
    ]
    mappings = aws.functions.list_event_source_mappings()["EventSourceMappings"]
    for mapping in mappings:
        scaling = dict(mapping).get("ScalingConfig") or {}
        wanted = scaling.get("MaximumConcurrency", 1)  # type: ignore[attr-defined]
        workers = min(int(wanted), MOST_WORKERS_PER_QUEUE)
        targets.append(Target(mapping["FunctionArn"], workers, _NO_RECORDS))
    return targets


def warm(aws: Aws, targets: list[Target]) -> None:
    """Start all workers of all targets and wait for them.

    Raises LocalStageError with the function's own error when one can not even start.
    """
    calls = [target for target in targets for _ in range(target.workers)]
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        for error in pool.map(lambda target: _invoke(aws, target), calls):
            if error:
                raise LocalStageError(error, "Its code is in functions/ and layers/core.")


def health_event(api_id: str) -> dict[str, Any]:
    """Return the event of `GET /health` in API Gateway's payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/health",
        "rawQueryString": "",
        "headers": {"host": "localhost", "accept": "application/json"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": api_id,
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": "GET",
                "path": "/health",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "riel-warmup",
            },
            "requestId": "warmup",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    }


def _function_of(integration_uri: str) -> str:
    """Return the function's ARN, with its alias, from an integration's address."""
    return integration_uri.rsplit("/functions/", maxsplit=1)[-1].removesuffix("/invocations")


def _invoke(aws: Aws, target: Target) -> str:
    """Invoke once; return an error in one sentence, or an empty text."""
    answer = aws.functions.invoke(
        FunctionName=target.function, Payload=json.dumps(target.event).encode()
    )
    payload = answer["Payload"].read().decode(errors="replace")
    if "FunctionError" not in answer:
        return ""
    name = target.function.split(":function:")[-1]
    return f"The function {name} does not start: {payload[:500]}"
