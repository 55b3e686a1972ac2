"""Starts the function's workers before anybody waits: stands in for provisioned concurrency.

On the engine each concurrent invocation beyond the warm workers forks a process, which takes
about a second. Harmless events are sent at once, by the same address that the callers use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from infra.local.aws import Aws
from infra.local.errors import LocalStageError

# More workers start by themselves when a burst comes; memory is worth more here.
MOST_WORKERS: Final = 2
_EVERYTHING_ELSE: Final = "$default"
_NO_RECORDS: Final[Mapping[str, Any]] = {"Records": []}
_NO_SUCH_GATEWAY: Final = "warm-up"


@dataclass(frozen=True)
class Target:
    """A function as its caller addresses it, and how many workers to start."""

    function: str
    workers: int
    event: Mapping[str, Any]


def targets_of(aws: Aws, api_id: str, api_workers: int) -> list[Target]:
    """Return what to warm: the API's functions first, then the consumers of streams and queues.

    What runs by the clock is left out: nobody waits for it.
    """
    return [*_route_targets(aws, api_id, api_workers), *_mapping_targets(aws)]


def _route_targets(aws: Aws, api_id: str, api_workers: int) -> list[Target]:
    api = aws.client("apigatewayv2")
    integrations = {
        f"integrations/{i['IntegrationId']}": _function_of(i["IntegrationUri"])
        for i in api.get_integrations(ApiId=api_id)["Items"]
    }
    return [
        Target(
            integrations[route["Target"]],
            api_workers if route["RouteKey"] == _EVERYTHING_ELSE else MOST_WORKERS,
            request_event(api_id, route["RouteKey"]),
        )
        for route in sorted(api.get_routes(ApiId=api_id)["Items"], key=lambda r: r["RouteKey"])
    ]


def _mapping_targets(aws: Aws) -> list[Target]:
    """One target for each consumer: the workers of a function serve all its queues."""
    workers: dict[str, int] = {}
    for mapping in aws.functions.list_event_source_mappings()["EventSourceMappings"]:
        scaling = dict(mapping).get("ScalingConfig") or {}
        wanted = int(scaling.get("MaximumConcurrency", 1))  # type: ignore[attr-defined]
        function = mapping["FunctionArn"]
        workers[function] = max(workers.get(function, 0), min(wanted, MOST_WORKERS))
    return [Target(function, count, _NO_RECORDS) for function, count in workers.items()]


def warm(aws: Aws, targets: list[Target]) -> None:
    """Start all workers of all targets and wait for them.

    Raises LocalStageError with the function's own error when one can not even start.
    """
    calls = [target for target in targets for _ in range(target.workers)]
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        for error in pool.map(lambda target: _invoke(aws, target), calls):
            if error:
                raise LocalStageError(error, "Its code is in functions/ and layers/core.")


def request_event(api_id: str, route_key: str) -> dict[str, Any]:
    """Return a harmless request to a route, in API Gateway's payload format 2.0.

    `$default` answers its health; any other route is asked about something that is not there.
    """
    is_default = route_key == _EVERYTHING_ELSE
    method, path = ("GET", "/health") if is_default else route_key.split(" ", 1)
    path, parameters = re.sub(r"\{\w+\}", _NO_SUCH_GATEWAY, path), re.findall(r"\{(\w+)\}", path)
    return {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "localhost", "accept": "application/json"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": api_id,
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "riel-warmup",
            },
            "requestId": "warmup",
            "routeKey": route_key,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "pathParameters": dict.fromkeys(parameters, _NO_SUCH_GATEWAY),
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
