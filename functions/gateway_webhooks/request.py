"""One HTTP request as API Gateway hands it over (payload format 2.0)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from riel.domain import correlation
from riel.errors import MethodNotAllowedError, NotFoundError

_PATH = re.compile(r"/api/v1/gateways/([a-z0-9-]{1,40})/webhooks", re.ASCII)


class Request:
    """Reads an event; nothing of it is trusted."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._context: Mapping[str, Any] = event["requestContext"]
        self.headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        self.request_id = correlation.request_id(
            self.headers.get("x-request-id"), self._context["requestId"]
        )
        self.traceparent = correlation.traceparent(self.headers.get("traceparent"))

    def gateway(self) -> str:
        """Whose events these are; raises NotFoundError and MethodNotAllowedError."""
        path = _PATH.fullmatch(self._event["rawPath"])
        if path is None:
            raise NotFoundError("there is nothing at this path")
        if self._context["http"]["method"] != "POST":
            raise MethodNotAllowedError("POST")
        return path[1]

    def body(self) -> bytes:
        """Return the body's bytes, exactly as they were signed."""
        text: str = self._event.get("body") or ""
        if self._event.get("isBase64Encoded"):
            return base64.b64decode(text)
        return text.encode("utf-8", "surrogatepass")
