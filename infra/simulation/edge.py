"""The HTTP API of a run: API Gateway in front of the two functions that it calls."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.simulation.deployment import Deployment
from infra.simulation.faults import Target
from infra.simulation.functions import Functions
from infra.simulation.gate import Gate, Outside
from infra.simulation.kernel import Kernel

INTEGRATION_SECONDS = 30.0
"""API Gateway's own limit for an HTTP API's integration."""
CLIENT_SECONDS = 20.0
_GATEWAYS = "/api/v1/gateways/"


class UnreachableError(OSError):
    """The request got no answer; whether it was received, nobody knows."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Edge:
    """Where requests from outside come in."""

    def __init__(
        self, kernel: Kernel, gate: Gate, functions: Functions, deployment: Deployment
    ) -> None:
        self._kernel = kernel
        self._gate = gate
        self._functions = functions
        self._deployment = deployment

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Send a request from the current task; raises UnreachableError."""
        is_event = path.startswith(_GATEWAYS)
        outside = Outside(
            target=Target.GATEWAY_EVENT if is_event else Target.API,
            operation=method,
            subject=path,
            changes=method != "GET",
            patience_seconds=CLIENT_SECONDS,
            lost=lambda: UnreachableError("no answer"),
            refused=lambda: UnreachableError("refused"),
            told=lambda answer: str(answer.status),
        )
        response: Response = self._gate.make(
            outside, lambda: self._invoke(method, path, headers, body, is_event=is_event)
        )
        return response

    def _invoke(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, is_event: bool
    ) -> Response:
        function = self._deployment.named("gateway-webhooks" if is_event else "api")
        task = self._kernel.current
        name = f"{'events' if is_event else 'api'}({task.name if task else ''})"
        invocation = self._functions.invoke(
            function, self._event(method, path, headers, body), name
        )
        if not invocation.is_done:
            self._kernel.wait(invocation.when_done, INTEGRATION_SECONDS)
        if not invocation.is_done or invocation.failure:
            return Response(503, {}, {"message": "Service Unavailable"})
        answer = invocation.answer
        if answer["statusCode"] == 500:
            # Its last net has caught what no code of ours should raise.
            self._kernel.note(AssertionError(f"{method} {path} is answered 500"))
        text = answer.get("body") or "null"
        if answer.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        lowered = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        return Response(answer["statusCode"], lowered, json.loads(text))

    def _event(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        raw_path, _, query = path.partition("?")
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": raw_path,
            "rawQueryString": query,
            "headers": dict(headers),
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "simulated",
                "domainName": "simulated.execute-api.us-east-1.amazonaws.com",
                "http": {
                    "method": method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "merchant",
                },
                "requestId": self._kernel.unique("request"),
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": round(self._kernel.now * 1000),
            },
            "body": body.decode() if body else None,
            "isBase64Encoded": False,
        }
