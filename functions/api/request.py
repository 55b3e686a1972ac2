"""One HTTP request as API Gateway hands it over (payload format 2.0)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from riel.domain import correlation
from riel.errors import UnsupportedMediaTypeError

_JSON = ("application/json", "application/json;", "application/json;charset=utf-8")


class Request:
    """Reads the resolver's present event; nothing of it is trusted."""

    def __init__(self, resolver: APIGatewayHttpResolver) -> None:
        self._event = resolver.current_event
        # Powertools copies all of them each time that they are asked for.
        self._headers: Mapping[str, str] = self._event.headers

    @property
    def method(self) -> str:
        """The verb."""
        return self._event.http_method

    @property
    def path(self) -> str:
        """The path; API Gateway has decoded every escape in it but `%25`."""
        return self._event.path

    @property
    def query(self) -> Mapping[str, str]:
        """The query, decoded; a parameter that was repeated has its values joined by commas."""
        return self._event.query_string_parameters or {}

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name."""
        return self._headers.get(name)

    @property
    def request_id(self) -> str:
        """The caller's `X-Request-Id` where it is a valid one, else API Gateway's."""
        ours = self._event.request_context.request_id
        return correlation.request_id(self.header("x-request-id"), ours)

    @property
    def traceparent(self) -> str:
        """The caller's W3C trace, or an empty text."""
        return correlation.traceparent(self.header("traceparent"))

    def json_body(self) -> bytes:
        """Return the body's bytes; raises UnsupportedMediaTypeError unless announced as JSON."""
        kind = (self.header("content-type") or "").replace(" ", "").replace('"', "").lower()
        encoding = (self.header("content-encoding") or "identity").strip().lower()
        if kind not in _JSON or encoding != "identity":
            raise UnsupportedMediaTypeError(
                "send Content-Type: application/json in UTF-8, not compressed"
            )
        return self.body()

    def body(self) -> bytes:
        """Return the body's bytes, whatever they are."""
        # Not Powertools' `decoded_body`, which fails for bytes that are not UTF-8.
        text: str = self._event.get("body") or ""
        if self._event.get("isBase64Encoded"):
            return base64.b64decode(text)
        return text.encode("utf-8", "surrogatepass")
